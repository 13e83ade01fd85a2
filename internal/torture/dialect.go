package torture

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pubsub/internal/torture/check"
)

// dialect is how a server is spoken to. Its methods are safe for concurrent use.
type dialect interface {
	// expected is what the server may be held to.
	expected() check.Options
	// keys tells whether a post can be repeated with a key and is published once.
	keys() bool
	// cuts tells whether a reader whose connection was cut loses nothing.
	cuts() bool
	// publish returns where the message is, if the server says so. An error other than
	// *refusal leaves open whether the server has the message.
	publish(ctx context.Context, to site, channel, key, text string) (check.Place, error)
	// poll returns what comes after a cursor, or what is new if the cursor is empty.
	poll(ctx context.Context, from site, channel, cursor string, wait time.Duration) (answer, error)
	// glance returns the newest messages at once. ok is false if the dialect cannot.
	glance(ctx context.Context, from site, channel string) (a answer, ok bool, err error)
}

var dialects = map[string]dialect{
	"cursor":   cursor{},
	"original": original{},
	"nchan":    nchan{},
}

// site is one instance of a server, and who asks it.
type site struct {
	url    string
	client *http.Client
}

// answer is what a poll returns.
type answer struct {
	messages []check.Message
	cursor   string // to go on with
	next     check.Place
	gap      *check.Gap
}

// refusal is the error of a server that is too busy: 429 or 503.
type refusal struct {
	text  string
	after time.Duration // when to come back; 0 if the server does not say
}

func (r *refusal) Error() string { return r.text }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// do sends a request and returns the answer's header and body. Every status but those
// given is an error.
func (s site) do(r *http.Request, good ...int) (*http.Response, []byte, error) {
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	if slices.Contains(good, resp.StatusCode) {
		return resp, body, nil
	}
	return nil, nil, failure(r, resp, body)
}

func failure(r *http.Request, resp *http.Response, body []byte) error {
	text := fmt.Sprintf("%s %s: %s: %.200s", r.Method, r.URL.Path, resp.Status, strings.TrimSpace(string(body)))
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("%s", text)
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return &refusal{text, time.Duration(seconds) * time.Second}
}

// get makes a request without a body.
func (s site) get(ctx context.Context, path string) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
}

// post makes a request with a body.
func (s site) post(ctx context.Context, path, contentType, body string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", contentType)
	}
	return r, err
}
