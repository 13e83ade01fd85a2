// Package rates bounds how often something is done, with token buckets.
package rates

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// limitedAddresses is how many addresses a Limiter remembers. When there are more, the
// one used longest ago is forgotten, and gets its whole burst again.
const limitedAddresses = 20_000

// Limiter bounds how often each address may do something: it has a bucket for each. It is
// safe for concurrent use. Make it with [New].
type Limiter struct {
	Rate Rate // do not change it

	mu        sync.Mutex // guards byAddress, and the buckets
	byAddress *simplelru.LRU[netip.Addr, *Bucket]
}

// New returns a limiter. Without tokens a second there is no limit.
func New(r Rate) *Limiter {
	byAddress, err := simplelru.NewLRU[netip.Addr, *Bucket](limitedAddresses, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Limiter{Rate: r, byAddress: byAddress}
}

// Take takes a token of an address. If there is none, it returns false, and after how
// many seconds to come back.
func (l *Limiter) Take(address netip.Addr) (seconds int, ok bool) {
	wait, ok := l.Promise(address, 1, 0)
	return ComeBack(wait), ok
}

// ComeBack is after how many seconds a client should come back who would have to wait. Half
// of them are told a second more, so that not all come back at the same time.
func ComeBack(wait time.Duration) (seconds int) {
	return int(max(math.Ceil(wait.Seconds()), 1)) + rand.IntN(2)
}

// Promise takes tokens of an address, the first of which is there after a wait: who comes
// next waits for the others. If that is longer than most, it takes none and returns false.
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

// GiveBack gives tokens back that were promised and are not needed.
func (l *Limiter) GiveBack(address netip.Addr, tokens float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(address)
	b.taken = max(0, b.taken-tokens)
}

// of returns the bucket of an address as it is now. mu is held.
func (l *Limiter) of(address netip.Addr) *Bucket {
	b, found := l.byAddress.Get(address)
	if !found {
		b = new(Bucket)
		l.byAddress.Add(address, b)
	}
	b.fill(l.Rate)
	return b
}

// Forget forgets addresses that have all their tokens again: they would begin with as
// many. It goes from the one used longest ago to the first that lacks tokens.
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
