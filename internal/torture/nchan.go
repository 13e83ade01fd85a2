package torture

import (
	"context"
	"net/http"
	"strings"
	"time"

	"pubsub/internal/torture/check"
)

// nchan is the long poll of the nginx module. A place is a time and a tag, in header
// fields; an answer is one message.
type nchan struct{}

func (nchan) expected() check.Options { return check.Options{ByText: true} }
func (nchan) keys() bool              { return false }
func (nchan) cuts() bool              { return true }

func (nchan) publish(ctx context.Context, to site, channel, _, text string) (check.Place, error) {
	r, err := to.post(ctx, "/pub/"+channel, "text/plain", text)
	if err == nil {
		_, _, err = to.do(r, http.StatusOK, http.StatusCreated, http.StatusAccepted)
	}
	return check.Place{}, err
}

func (nchan) poll(ctx context.Context, from site, channel, cursor string, _ time.Duration) (answer, error) {
	r, err := from.get(ctx, "/sub/"+channel)
	if err != nil {
		return answer{}, err
	}
	if modified, tag, found := strings.Cut(cursor, "\n"); found {
		r.Header.Set("If-Modified-Since", modified)
		r.Header.Set("If-None-Match", tag)
	}
	resp, body, err := from.do(r, http.StatusOK, http.StatusNotModified, http.StatusRequestTimeout)
	if err != nil {
		return answer{}, err
	}
	if resp.StatusCode != http.StatusOK { // the poll's time is over
		return answer{cursor: cursor}, nil
	}
	next := resp.Header.Get("Last-Modified") + "\n" + resp.Header.Get("Etag")
	return answer{cursor: next, messages: []check.Message{{Text: string(body)}}}, nil
}

func (nchan) glance(context.Context, site, string) (answer, bool, error) {
	return answer{}, false, nil
}
