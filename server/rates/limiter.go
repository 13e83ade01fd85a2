// Package rates bounds how often something is done, by token buckets.
package rates

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/lru"
)

// limitedAddresses is how many addresses a Limiter remembers. Beyond that the one unused for
// longest is forgotten, and gets its whole burst again.
const limitedAddresses = 20_000

// Limiter bounds how often each address may do something, with a bucket for each. Make it
// with [New]. It is safe for concurrent use.
type Limiter struct {
	Rate Rate // do not change it

	mu        sync.Mutex // guards byAddress and the buckets; no other lock is taken under it
	byAddress *lru.Cache[netip.Addr, *Bucket]
}

// New returns a limiter. If PerSecond is 0 there is no limit.
func New(r Rate) *Limiter {
	return &Limiter{Rate: r, byAddress: lru.New[netip.Addr, *Bucket](limitedAddresses, nil)}
}

// Take takes a token of an address. If there is none it returns false, and after how many
// seconds the client should come back.
func (l *Limiter) Take(address netip.Addr) (seconds int, ok bool) {
	wait, ok := l.Promise(address, 1, 0)
	return ComeBack(wait), ok
}

// ComeBack returns after how many seconds a client should come back that would have to wait.
// For half of the clients it is a second more, so that not all come back at once.
func ComeBack(wait time.Duration) (seconds int) {
	return int(max(math.Ceil(wait.Seconds()), 1)) + rand.IntN(2)
}

// Promise takes tokens of an address in advance, and returns how long to wait until the first
// of them is there: the next caller waits for the rest. If the wait would be longer than
// most, Promise takes nothing and returns false. Promise itself does not wait.
func (l *Limiter) Promise(address netip.Addr, tokens float64, most time.Duration) (wait time.Duration, ok bool) {
	if l.Rate.PerSecond == 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(address)
	if wait = b.untilOne(l.Rate); wait > most {
		return wait, false
	}
	b.taken += tokens
	return wait, true
}

// GiveBack puts back tokens that were promised and are not needed.
func (l *Limiter) GiveBack(address netip.Addr, tokens float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(address)
	b.taken = max(0, b.taken-tokens)
}

// of returns the bucket of an address, filled up to now. mu is held.
func (l *Limiter) of(address netip.Addr) *Bucket {
	b, found := l.byAddress.Get(address)
	if !found {
		b = new(Bucket)
		l.byAddress.Add(address, b)
	}
	b.fill(l.Rate)
	return b
}

// Forget drops addresses that have all their tokens again, which lose nothing by it. It goes
// from the one unused for longest to the first that lacks tokens.
func (l *Limiter) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, b, found := l.byAddress.GetOldest()
		if !found {
			return
		}
		if b.fill(l.Rate); b.taken > 0 {
			return
		}
		l.byAddress.RemoveOldest()
	}
}
