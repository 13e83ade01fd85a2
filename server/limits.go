package server

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// ratedAddresses is how many addresses' rates are remembered; past that the one
// that posted longest ago begins anew.
const ratedAddresses = 50_000

// errSuperseded is why a poll ends whose client has opened too many newer ones.
var errSuperseded = errors.New("a newer poll of this client took this one's place")

// limits holds what strangers may take at a time. 0 in the settings is no limit.
type limits struct {
	config *Config

	pollsMu   sync.Mutex // guards the next four
	polls     int
	byChannel map[string]int
	byAddress map[netip.Addr]int
	byClient  map[clientID][]*admitted // oldest first

	rates *lru.Cache[netip.Addr, *rate.Limiter]
}

// clientID is what a client calls itself. The address is part of it, so that
// nobody can end another's polls by calling itself the same.
type clientID struct {
	address netip.Addr
	name    string
}

// admitted is a poll of a client that gave itself a name.
type admitted struct{ end context.CancelCauseFunc }

func newLimits(config *Config) *limits {
	rates, err := lru.New[netip.Addr, *rate.Limiter](ratedAddresses)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &limits{
		config:    config,
		byChannel: make(map[string]int),
		byAddress: make(map[netip.Addr]int),
		byClient:  make(map[clientID][]*admitted),
		rates:     rates,
	}
}

// admit counts a poll until leave is called, or says which limit it is over. The
// context ends with errSuperseded when newer polls of the same client need the
// place.
func (l *limits) admit(r *http.Request, channel string) (ctx context.Context, leave func(), err error) {
	ctx, address := r.Context(), l.address(r)
	name := r.Header.Get("X-Client-Id")
	if len(name) > 128 {
		return nil, nil, refuse(http.StatusBadRequest, "An X-Client-ID has at most 128 bytes.")
	}
	l.pollsMu.Lock()
	defer l.pollsMu.Unlock()
	switch c := l.config; {
	case reached(l.polls, c.MaxPolls):
		return nil, nil, full("polls", "The server holds %d polls, as many as it may. Ask again in a moment.", c.MaxPolls)
	case reached(l.byChannel[channel], c.MaxPollsPerChannel):
		return nil, nil, full("polls-per-channel", "This channel has %d pending polls, as many as one may. Ask again in a moment.", c.MaxPollsPerChannel)
	case reached(l.byAddress[address], c.MaxPollsPerAddress):
		return nil, nil, tooMany("polls-per-address", soon(), "%d polls are pending from your address, as many as one may have. Let some end.", c.MaxPollsPerAddress)
	}
	l.polls++
	l.byChannel[channel]++
	l.byAddress[address]++
	client, mine := clientID{address, name}, (*admitted)(nil)
	if name != "" && l.config.MaxPollsPerClient > 0 {
		if pending := l.byClient[client]; len(pending) >= l.config.MaxPollsPerClient {
			pending[0].end(errSuperseded)
			l.byClient[client] = pending[1:]
		}
		mine = new(admitted)
		ctx, mine.end = context.WithCancelCause(ctx)
		l.byClient[client] = append(l.byClient[client], mine)
	}
	return ctx, func() { l.leave(channel, client, mine) }, nil
}

func (l *limits) leave(channel string, client clientID, mine *admitted) {
	l.pollsMu.Lock()
	defer l.pollsMu.Unlock()
	l.polls--
	decrement(l.byChannel, channel)
	decrement(l.byAddress, client.address)
	if mine == nil {
		return
	}
	mine.end(nil)
	pending := slices.DeleteFunc(l.byClient[client], func(a *admitted) bool { return a == mine })
	if l.byClient[client] = pending; len(pending) == 0 {
		delete(l.byClient, client)
	}
}

func decrement[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

// admitPost takes a token of the sender's address, or tells when there is one.
func (l *limits) admitPost(r *http.Request) error {
	if l.config.PublishRate == 0 {
		return nil
	}
	burst := max(1, l.config.PublishBurst)
	if l.config.PublishBurst == 0 {
		burst = math.MaxInt
	}
	limiter := rate.NewLimiter(rate.Limit(l.config.PublishRate), burst)
	address := l.address(r)
	if known, found, _ := l.rates.PeekOrAdd(address, limiter); found {
		limiter = known
		l.rates.Get(address) // mark it used
	}
	if limiter.Allow() {
		return nil
	}
	wait := math.Ceil((1 - limiter.Tokens()) / l.config.PublishRate)
	return tooMany("publish-rate", int(max(wait, 1))+rand.IntN(2),
		"Your address has posted more than %g messages a second. Wait a moment between them.", l.config.PublishRate)
}

// address is whose request this is: the peer's address, or what the trusted
// proxies in front say of it. An IPv6 host has a whole /64, and counts as one.
func (l *limits) address(r *http.Request) netip.Addr {
	text := r.RemoteAddr
	if hops := l.config.TrustedHops; hops > 0 {
		if headers := r.Header["X-Forwarded-For"]; len(headers) > 0 {
			told := strings.Split(strings.Join(headers, ","), ",")
			text = strings.TrimSpace(told[max(0, len(told)-hops)])
		}
	}
	address, ok := parseAddress(text)
	if !ok {
		address, _ = parseAddress(r.RemoteAddr)
	}
	if address = address.Unmap(); address.Is6() {
		network, _ := address.WithZone("").Prefix(64) // cannot fail for an IPv6 address
		return network.Addr()
	}
	return address
}

// parseAddress reads an address with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr(), true
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return address, err == nil
}

// soon is a Retry-After in seconds that does not call all back at once.
func soon() int { return 1 + rand.IntN(5) }

func full(reason, format string, args ...any) error {
	p := refuse(http.StatusServiceUnavailable, format, args...).(*problem)
	p.reason, p.retryAfter = reason, soon()
	return p
}

func tooMany(reason string, retryAfter int, format string, args ...any) error {
	p := refuse(http.StatusTooManyRequests, format, args...).(*problem)
	p.reason, p.retryAfter = reason, retryAfter
	return p
}
