package presence

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"pubsub/server/roster"
)

// typing bounds what one address may have told of who types in a channel, so that others
// who type there are told, too: of all only some are, see [roster.MaxNamed].
type typing struct {
	mu sync.Mutex // guards by
	by *simplelru.LRU[placeOf, *rate.Limiter]
}

const (
	typingRate = roster.MaxNamed - 1 // names told in a second; an address may be that of an office
	typingMany = 10_000              // addresses in channels that are remembered; the one longest ago is forgotten
)

func newTyping() *typing {
	by, err := simplelru.NewLRU[placeOf, *rate.Limiter](typingMany, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &typing{by: by}
}

// mayTell tells whether somebody at an address may be told to type now.
func (t *typing) mayTell(by netip.Addr, channel string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := placeOf{strings.Clone(channel), by} // that of a request would keep all of it
	bucket, known := t.by.Get(at)
	if !known {
		bucket = rate.NewLimiter(typingRate, typingRate)
		t.by.Add(at, bucket)
	}
	return bucket.Allow()
}
