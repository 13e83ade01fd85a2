package memory

import (
	"slices"
	"sync"
	"time"

	"pubsub/server/fairshare"
	"pubsub/server/history"
)

// channel is the log of a channel that has messages. When it has none left, it is removed
// from Log and never used again: the next message makes a new one.
type channel struct {
	name    string
	holding *fairshare.Holding[history.Owner, *channel] // nil for Options.Home, which counts for no owner

	mu sync.Mutex // guards the fields below; messagesMu may be taken under it
	position
	removed bool
	entries []*entry // oldest first; the last one has the id last
}

// position is how far a channel's ids and timestamps have come. It is kept after the
// channel's messages have expired.
type position struct {
	epoch    string
	before   uint64    // id before the epoch's first message
	last     uint64    // id of the newest message ever
	lastTime time.Time // timestamp of that message
}

// entry is a message in the log. If it is evicted before older ones of its channel, it stays
// without JSON until those have left, too.
type entry struct {
	history.Message
	channel *channel
	at      time.Time // when it was appended, by the monotonic clock
	holding *fairshare.Holding[history.Owner, *entry]
}

func (e *entry) evicted() bool { return e.JSON == nil }

// dropped returns the id before the oldest entry. mu is held.
func (c *channel) dropped() uint64 { return c.last - uint64(len(c.entries)) }

// add appends a message. mu is held.
func (c *channel) add(object []byte, now time.Time) *entry {
	at := now.UTC().Truncate(time.Microsecond)
	if !at.After(c.lastTime) {
		at = c.lastTime.Add(time.Microsecond)
	}
	c.last, c.lastTime = c.last+1, at
	e := &entry{Message: history.NewMessage(c.last, at, c.name, object), channel: c, at: now}
	c.entries = append(c.entries, e)
	return e
}

// tooMany returns how many of the oldest entries must leave: those over the bounds, and
// evicted ones. Age is measured by the monotonic clock, so that setting the clock drops
// nothing. mu is held.
func (c *channel) tooMany(options *history.Options, now time.Time) (n int) {
	if options.Messages > 0 {
		n = max(0, len(c.entries)-options.Messages)
	}
	for n < len(c.entries) && (c.entries[n].evicted() || options.Age > 0 && now.Sub(c.entries[n].at) >= options.Age) {
		n++
	}
	return n
}

// cut removes the oldest n entries and returns them. mu is held.
func (c *channel) cut(n int) []*entry {
	if n == 0 {
		return nil
	}
	out := slices.Clone(c.entries[:n])
	clear(c.entries[:n]) // frees the messages, as the array stays
	c.entries = c.entries[n:]
	if cap(c.entries) > 4*len(c.entries) {
		c.entries = slices.Clone(c.entries)
	}
	return out
}
