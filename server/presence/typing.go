package presence

import (
	"net/netip"
	"strings"
	"sync"

	"pubsub/server/lru"
	"pubsub/server/rates"
	"pubsub/server/roster"
)

// typing bounds how often one address may make typing be told in a channel. Only few of those
// who type are told, see [roster.MaxNamed], and other addresses should be among them.
type typing struct {
	mu sync.Mutex // guards by; no other lock is taken under it
	by *lru.Cache[placeOf, *rates.Bucket]
}

// typingRate counts names, because an address may be that of an office.
var typingRate = rates.Rate{PerSecond: roster.MaxNamed - 1, Burst: roster.MaxNamed - 1}

// typingMany is how many pairs of address and channel are remembered. The one that was used
// longest ago is forgotten first.
const typingMany = 10_000

func newTyping() *typing {
	return &typing{by: lru.New[placeOf, *rates.Bucket](typingMany, nil)}
}

// mayTell tells whether an address may make typing be told now, and counts it.
func (t *typing) mayTell(by netip.Addr, channel string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := placeOf{strings.Clone(channel), by} // the channel is part of a request, which would stay in memory
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
