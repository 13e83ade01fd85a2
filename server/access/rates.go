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

// ratedAddresses is how many addresses' rates are remembered; past that the one
// that was used longest ago begins anew.
const ratedAddresses = 20_000

// rates bounds how often each address may do something.
type rates struct {
	limit rate.Limit // a second; 0 is no limit
	burst int

	mu        sync.Mutex // guards byAddress
	byAddress *simplelru.LRU[netip.Addr, *rate.Limiter]
}

func newRates(perSecond float64, burst int) *rates {
	byAddress, err := simplelru.NewLRU[netip.Addr, *rate.Limiter](ratedAddresses, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &rates{limit: rate.Limit(perSecond), burst: burst, byAddress: byAddress}
}

// take takes a token of an address's, or tells after how many seconds there is
// one. The wait is a second longer for half of those who ask, so that they do not
// come back together.
func (l *rates) take(address netip.Addr) (wait int, ok bool) {
	if l.limit == 0 {
		return 0, true
	}
	limiter := l.of(address)
	if limiter.Allow() {
		return 0, true
	}
	seconds := math.Ceil((1 - limiter.Tokens()) / float64(l.limit))
	return int(max(seconds, 1)) + rand.IntN(2), false
}

func (l *rates) of(address netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, found := l.byAddress.Get(address)
	if !found {
		limiter = rate.NewLimiter(l.limit, l.burst)
		l.byAddress.Add(address, limiter)
	}
	return limiter
}

// forget forgets the addresses that have all their tokens again: they would begin
// as they are. It looks at those used longest ago, until one has not.
func (l *rates) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, limiter, found := l.byAddress.GetOldest()
		if !found || limiter.TokensAt(time.Now()) < float64(l.burst) {
			return
		}
		l.byAddress.RemoveOldest()
	}
}
