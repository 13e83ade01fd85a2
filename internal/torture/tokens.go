package torture

import (
	"net/http"
	"sync"
	"time"

	"pubsub/server/tokens"
)

// bearer sends each request with a token, and makes another when that has expired.
type bearer struct {
	http.RoundTripper
	key  string
	last time.Duration

	mu      sync.Mutex // guards the next two
	token   string
	expires time.Time
}

// RoundTrip implements [http.RoundTripper].
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.current()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.RoundTripper.RoundTrip(r)
}

func (b *bearer) current() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.expires) {
		return b.token, nil
	}
	b.expires = time.Now().Add(b.last)
	var err error
	b.token, err = tokens.Sign(b.key, tokens.Claims{Expires: b.expires, Rights: tokens.Rights{Publish: []string{"torture_*"}, Subscribe: []string{"torture_*"}}}, "", "")
	return b.token, err
}

// CloseIdleConnections is called by [http.Client].
func (b *bearer) CloseIdleConnections() {
	if closer, can := b.RoundTripper.(interface{ CloseIdleConnections() }); can {
		closer.CloseIdleConnections()
	}
}

// client is an HTTP client over a transport, which sends tokens if there is a key for them.
func (o *options) client(transport *http.Transport) *http.Client {
	if o.tokenKey == "" {
		return &http.Client{Transport: transport}
	}
	return &http.Client{Transport: &bearer{RoundTripper: transport, key: o.tokenKey, last: o.tokenLife}}
}
