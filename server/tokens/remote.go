package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"pubsub/server/turn"
)

// remote holds the public keys of a JWKS address. They are used on while the address cannot
// be reached. A token with an unknown key makes remote fetch the keys again, but not often.
type remote struct {
	address string
	client  *http.Client
	log     *slog.Logger

	mu      sync.Mutex // guards the fields below; no other lock is taken under it, but log lines are written
	keys    keyfunc.Keyfunc
	fetched time.Time     // when keys were last fetched
	tried   time.Time     // when the last fetch began
	left    string        // the keys left out, as last logged
	asking  chan struct{} // closed when the fetch ends; nil if none is under way
}

// Limits of fetches.
const (
	askTimeout = 5 * time.Second
	askAgain   = 10 * time.Second // after the last fetch, at the earliest
	keysStay   = 10 * time.Minute // after which the keys are fetched again
	maxKeys    = 1 << 20          // bytes
)

func newRemote(address string, log *slog.Logger) (keys, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is no address of keys, such as https://login.example.org/jwks.json", address)
	}
	if u.Scheme == "http" && !isNear(u.Hostname()) {
		return nil, fmt.Errorf("%q must be https: whoever is on the way could give other keys, and make tokens of their own", address)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &remote{address: address, client: &http.Client{Timeout: askTimeout}, log: log}, nil
}

// isNear tells whether a host is this machine or in a private network. It goes by the
// address, or by a name without a domain, as containers have.
func isNear(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".internal")
}

// methods has no HS256, because a JWKS is public.
func (*remote) methods() []string { return []string{"RS256", "ES256", "EdDSA"} }

func (r *remote) key(ctx context.Context, t *jwt.Token) (any, error) {
	known, asked := r.current(false)
	if known == nil {
		if known = wait(ctx, r, asked); known == nil {
			return nil, ErrAway
		}
	}
	key, err := known.Keyfunc(t)
	if err == nil {
		return key, nil
	}
	_, asked = r.current(true)
	if again := wait(ctx, r, asked); again != nil {
		return again.Keyfunc(t)
	}
	return nil, err
}

// wait waits for a fetch or for ctx, and returns the keys.
func wait(ctx context.Context, r *remote, asked <-chan struct{}) keyfunc.Keyfunc {
	if asked != closed {
		turn.HandOn(ctx)
	}
	select {
	case <-asked:
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keys
}

// current returns the keys, nil if there are none. It begins a fetch if the keys are old, or
// if unknown is set. asked is closed when the fetch ends. If it is too early to ask again,
// asked is already closed, so the caller does not wait.
func (r *remote) current(unknown bool) (keys keyfunc.Keyfunc, asked <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	due := r.keys == nil || unknown || now.Sub(r.fetched) > keysStay
	if due && r.asking == nil && now.Sub(r.tried) > askAgain {
		r.tried, r.asking = now, make(chan struct{})
		go r.ask()
	}
	if r.asking == nil {
		return r.keys, closed
	}
	return r.keys, r.asking
}

var closed = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// ask fetches the keys, and logs an error.
func (r *remote) ask() {
	keys, left, err := r.fetch()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.keys, r.fetched = keys, time.Now()
	} else {
		r.log.Warn("the keys of tokens cannot be had", "address", r.address, "error", err)
	}
	if said := strings.Join(left, "; "); said != r.left {
		r.left = said
		r.log.Info("keys at the address for tokens are left out", "address", r.address, "keys", said)
	}
	close(r.asking)
	r.asking = nil
}

func (r *remote) fetch() (keys keyfunc.Keyfunc, left []string, err error) {
	resp, err := r.client.Get(r.address)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		return nil, nil, err
	}
	return readKeys(text)
}
