package pubsub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client speaks to one server. It is safe for concurrent use as long as its fields stay as
// they are.
type Client struct {
	// URL is the server's, such as http://127.0.0.1:8080. It may have a path, under which
	// the server is reached.
	URL string
	// HTTP makes the requests; nil is [http.DefaultClient]. A Timeout in it would end
	// streams; the package has time limits of its own.
	HTTP *http.Client

	// Token is sent with each request, if it is not empty: see the server's documentation.
	Token string
	// Renew, if set, is asked for a token when there is none, or when the server refuses
	// the one there is. Requests wait for it meanwhile; only one calls it at a time.
	Renew func(ctx context.Context) (token string, err error)

	bearer bearer
}

// New returns a client of the server at this URL. Nothing is asked of it yet.
func New(url string) *Client { return &Client{URL: url} }

// maxAnswer bounds what is read of an answer, and of one event of a stream.
const maxAnswer = 64 << 20

// check finds what would fail again and again.
func (c *Client) check() error {
	u, err := url.Parse(c.URL)
	if err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		err = fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080", c.URL)
	}
	return err
}

// client returns the HTTP client, which follows only the redirects that the server sends. Others
// lead to a page of a proxy, or back to the server with a path that it does not have.
func (c *Client) client() *http.Client {
	client := *cmp.Or(c.HTTP, http.DefaultClient)
	if client.CheckRedirect == nil {
		client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
			status := r.Response.StatusCode
			if status != http.StatusTemporaryRedirect && status != http.StatusPermanentRedirect || len(via) > maxRedirects {
				return http.ErrUseLastResponse
			}
			return nil
		}
	}
	return &client
}

const maxRedirects = 10

// subURL is where some channels are read.
func (c *Client) subURL(channels []string, query url.Values) string {
	escaped := make([]string, len(channels))
	for i, channel := range channels {
		escaped[i] = url.PathEscape(channel)
	}
	return strings.TrimRight(c.URL, "/") + "/sub/" + strings.Join(escaped, ",") + "?" + query.Encode()
}

// open makes a request and returns an answer with status 200, whose body the caller
// closes. Every other answer is an error of refusal.
func (c *Client) open(r *http.Request) (*http.Response, error) {
	resp, err := c.authorized(r.Context(), func(header http.Header) (*http.Response, error) {
		if r.GetBody != nil {
			body, err := r.GetBody() // an earlier try may have read it
			if err != nil {
				return nil, err
			}
			r.Body = body
		}
		if token := header.Get("Authorization"); token != "" {
			r.Header.Set("Authorization", token)
		}
		return c.client().Do(r)
	})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// ask makes a request and decodes the JSON of its answer.
func (c *Client) ask(r *http.Request, answer any) error {
	resp, err := c.open(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s was answered with %.100q: %w", r.Method, r.URL.Path, text, err)
	}
	return nil
}

// isOwn tells whether the server itself has refused a request. A proxy answers for a server
// that is away with any status, but without this header.
func isOwn(resp *http.Response) bool { return resp.Header.Get("Pubsub-Error") != "" }

// refusal is an *Error if the server itself refuses what it was asked for. What a proxy or a
// hotel's network says in its place is a lost connection.
func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what there is of it will do
	var said struct {
		Error    string
		Channels []string
	}
	seconds, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31) // a date counts as nothing
	after := time.Duration(seconds) * time.Second
	if !isOwn(resp) || json.Unmarshal(text, &said) != nil || said.Error == "" {
		return &cut{foreign(resp), after, false}
	}
	return &Error{Status: resp.StatusCode, Text: said.Error, Channels: said.Channels, RetryAfter: after}
}

// foreign is the error of an answer that is not the server's own.
func foreign(resp *http.Response) error {
	return fmt.Errorf("something else answers for the server: %q, with status %s", resp.Header.Get("Content-Type"), resp.Status)
}

// errSilence is the cause of a request's end when nothing was heard for too long.
var errSilence = errors.New("nothing was heard from the server for too long")

// within is a context for a request that may take so long.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, errSilence)
}
