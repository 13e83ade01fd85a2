package access

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// limitedAddresses is how many addresses a limiter remembers. When there are more, the
// one used longest ago is forgotten, and gets its whole burst again.
const limitedAddresses = 20_000

// limiter bounds how often each address may do something: it has a token bucket for each.
type limiter struct {
	rate  float64 // tokens a second; 0 is no limit
	burst float64 // tokens that an address may save up

	mu        sync.Mutex // guards byAddress, and the buckets
	byAddress *simplelru.LRU[netip.Addr, *bucket]
}

// bucket is the tokens of an address.
type bucket struct {
	tokens float64 // below 0 if some are promised that are not there yet
	at     time.Time
}

func newLimiter(perSecond float64, burst int) *limiter {
	byAddress, err := simplelru.NewLRU[netip.Addr, *bucket](limitedAddresses, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &limiter{rate: perSecond, burst: float64(burst), byAddress: byAddress}
}

// take takes a token of an address. If there is none, it returns false, and after how
// many seconds to come back.
func (l *limiter) take(address netip.Addr) (seconds int, ok bool) {
	wait, ok := l.promise(address, 0)
	return comeBack(wait), ok
}

// comeBack is after how many seconds a client should come back who would have to wait. Half
// of them are told a second more, so that not all come back at the same time.
func comeBack(wait time.Duration) (seconds int) {
	return int(max(math.Ceil(wait.Seconds()), 1)) + rand.IntN(2)
}

// promise takes a token of an address that is there after a wait. If that is longer than
// most, it takes none and returns false.
func (l *limiter) promise(address netip.Addr, most time.Duration) (wait time.Duration, ok bool) {
	if l.rate == 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(address)
	if lacking := 1 - b.tokens; lacking > 0 {
		wait = time.Duration(lacking / l.rate * float64(time.Second))
	}
	if wait > most {
		return wait, false
	}
	b.tokens--
	return wait, true
}

// giveBack gives a token back that was promised and is not needed.
func (l *limiter) giveBack(address netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.of(address)
	b.tokens = min(b.tokens+1, l.burst)
}

// of returns the bucket of an address as it is now. mu is held.
func (l *limiter) of(address netip.Addr) *bucket {
	b, found := l.byAddress.Get(address)
	if !found {
		b = &bucket{l.burst, time.Now()}
		l.byAddress.Add(address, b)
		return b
	}
	l.fill(b)
	return b
}

// fill adds what has come since. mu is held.
func (l *limiter) fill(b *bucket) {
	now := time.Now()
	b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*l.rate, l.burst)
	b.at = now
}

// forget forgets addresses that have all their tokens again: they would begin with as
// many. It goes from the one used longest ago to the first that lacks tokens.
func (l *limiter) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, b, found := l.byAddress.GetOldest()
		if !found {
			return
		}
		if l.fill(b); b.tokens < l.burst {
			return
		}
		l.byAddress.RemoveOldest()
	}
}
