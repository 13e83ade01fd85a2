package memory

import (
	"slices"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/shares"
)

// channel is the log of one channel that has messages. Once it has none it is removed
// from the Log, and never used again: the next message makes another.
type channel struct {
	name    string
	holding *shares.Holding[history.Owner, *channel] // nil for Options.Home, which has no owner

	mu sync.Mutex // guards all below
	position
	removed bool
	entries []*entry // oldest first; their ids end in last
}

// position is how far a channel's ids and timestamps have come. It is remembered when
// the channel's messages have expired.
type position struct {
	epoch    string
	before   uint64    // id before the epoch's first message
	last     uint64    // id of the newest message ever
	lastTime time.Time // its timestamp
}

// entry is a message in the log. One that was evicted to make room, before older ones
// of its channel, stays in its place without JSON until those have gone too.
type entry struct {
	history.Message
	channel *channel
	at      time.Time // with the monotonic clock
	holding *shares.Holding[history.Owner, *entry]
}

func (e *entry) evicted() bool { return e.JSON == nil }

// dropped is the id of the newest message before the oldest entry.
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

// tooMany is how many of the oldest entries have to go: those over the bounds, and
// those that were evicted. Age goes by the monotonic clock, so that nothing is dropped
// when the wall clock is set. mu is held.
func (c *channel) tooMany(options *history.Options, now time.Time) (n int) {
	if options.Messages > 0 {
		n = max(0, len(c.entries)-options.Messages)
	}
	for n < len(c.entries) && (c.entries[n].evicted() || options.Age > 0 && now.Sub(c.entries[n].at) >= options.Age) {
		n++
	}
	return n
}

// cut takes the oldest n entries out and returns them. mu is held.
func (c *channel) cut(n int) []*entry {
	if n == 0 {
		return nil
	}
	out := slices.Clone(c.entries[:n])
	clear(c.entries[:n]) // the array lives on, and must not hold the messages
	c.entries = c.entries[n:]
	if cap(c.entries) > 4*len(c.entries) {
		c.entries = slices.Clone(c.entries)
	}
	return out
}
