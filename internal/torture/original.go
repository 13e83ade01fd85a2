package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"pubsub/internal/torture/check"
)

// original is the dialect of the Python original: one channel, which others may use, too,
// and a poll that waits for the next message.
type original struct{}

func (original) expected() check.Options {
	return check.Options{ByText: true, Unpromised: true, Shared: true}
}
func (original) keys() bool { return false }
func (original) cuts() bool { return false }

func (original) publish(ctx context.Context, to site, _, _, text string) (check.Place, error) {
	form := url.Values{"nick": {"torture"}, "message": {text}}
	r, err := to.post(ctx, "/pub", "application/x-www-form-urlencoded", form.Encode())
	if err == nil {
		_, _, err = to.do(r, http.StatusOK)
	}
	return check.Place{}, err
}

func (original) poll(ctx context.Context, from site, _, _ string, _ time.Duration) (answer, error) {
	r, err := from.get(ctx, "/sub")
	if err != nil {
		return answer{}, err
	}
	_, body, err := from.do(r, http.StatusOK)
	if err != nil {
		return answer{}, err
	}
	var m struct{ Message string }
	if err := json.Unmarshal(body, &m); err != nil {
		return answer{}, fmt.Errorf("GET /sub was answered with %.200q: %w", body, err)
	}
	return answer{messages: []check.Message{{Text: m.Message}}}, nil
}

func (original) glance(context.Context, site, string) (answer, bool, error) {
	return answer{}, false, nil
}
