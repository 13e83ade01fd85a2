package presence

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"pubsub/server/rates"
	"pubsub/server/roster"
)

// typing bounds what one address may have told of who types in a channel, so that others
// who type there are told, too: of all only some are, see [roster.MaxNamed].
type typing struct {
	mu sync.Mutex // guards by
	by *simplelru.LRU[placeOf, *rates.Bucket]
}

// typingRate is in names: an address may be that of an office.
var typingRate = rates.Rate{PerSecond: roster.MaxNamed - 1, Burst: roster.MaxNamed - 1}

// typingMany is how many addresses in channels are remembered. The one longest ago is
// forgotten first.
const typingMany = 10_000

func newTyping() *typing {
	by, err := simplelru.NewLRU[placeOf, *rates.Bucket](typingMany, nil)
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
		bucket = new(rates.Bucket)
		t.by.Add(at, bucket)
	}
	if lacking := bucket.Take(typingRate, 1); lacking > 0 {
		bucket.GiveBack(1 - lacking)
		return false
	}
	return true
}
