package access

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// limitedAddresses is how many addresses a limiter remembers. When there are more, the
// one used longest ago is forgotten, and gets its whole burst again.
const limitedAddresses = 20_000

// limiter bounds how often each address may do something: it has a token bucket for each.
type limiter struct {
	rate  rate.Limit // tokens a second; 0 is no limit
	burst int        // tokens that an address may save up

	mu        sync.Mutex // guards byAddress
	byAddress *simplelru.LRU[netip.Addr, *rate.Limiter]
}

func newLimiter(perSecond float64, burst int) *limiter {
	byAddress, err := simplelru.NewLRU[netip.Addr, *rate.Limiter](limitedAddresses, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &limiter{rate: rate.Limit(perSecond), burst: burst, byAddress: byAddress}
}

// take takes a token of an address. If there is none, it returns false, and after how
// many seconds there is one. Half of the callers are told a second more, so that not all
// come back at the same time.
func (l *limiter) take(address netip.Addr) (wait int, ok bool) {
	if l.rate == 0 {
		return 0, true
	}
	bucket := l.of(address)
	if bucket.Allow() {
		return 0, true
	}
	seconds := math.Ceil((1 - bucket.Tokens()) / float64(l.rate))
	return int(max(seconds, 1)) + rand.IntN(2), false
}

func (l *limiter) of(address netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, found := l.byAddress.Get(address)
	if !found {
		bucket = rate.NewLimiter(l.rate, l.burst)
		l.byAddress.Add(address, bucket)
	}
	return bucket
}

// forget forgets addresses that have all their tokens again: they would begin with as
// many. It goes from the one used longest ago to the first that lacks tokens.
func (l *limiter) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, bucket, found := l.byAddress.GetOldest()
		if !found || bucket.TokensAt(time.Now()) < float64(l.burst) {
			return
		}
		l.byAddress.RemoveOldest()
	}
}
