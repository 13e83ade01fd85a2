package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/shares"
)

// channel is the log of one channel. One that is gone is never used again.
type channel struct {
	name  string
	begun *shares.Holding[history.Owner, *channel] // whose it is, nil for the one that has its place for sure

	mu sync.Mutex // guards all below
	state
	gone    bool
	entries []*entry // oldest first; their ids end in last
}

// state is what is remembered of a channel when its messages are gone.
type state struct {
	epoch    string
	before   uint64    // id before the epoch's first message
	last     uint64    // id of the newest message ever
	lastTime time.Time // its timestamp
}

// entry is a message in the log. One that had to leave before those older than it
// has no JSON any more.
type entry struct {
	history.Message
	channel *channel
	at      time.Time // with the monotonic clock
	held    *shares.Holding[history.Owner, *entry]
}

func (e *entry) left() bool { return e.JSON == nil }

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

// tooMany tells how many entries, from the oldest on, are over the bounds at now.
// The clock that ages messages is the monotonic one: stepping the wall clock drops
// nothing. mu is held.
func (c *channel) tooMany(options *history.Options, now time.Time) (n int) {
	if options.Messages > 0 {
		n = max(0, len(c.entries)-options.Messages)
	}
	for n < len(c.entries) && (c.entries[n].left() || options.Age > 0 && now.Sub(c.entries[n].at) >= options.Age) {
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
	clear(c.entries[:n]) // the array stays for a while
	c.entries = c.entries[n:]
	if cap(c.entries) > 4*len(c.entries) {
		c.entries = slices.Clone(c.entries)
	}
	return out
}

// page reads at most limit messages since a place. A cursor of the log is from
// before the channel's first message. mu is held.
func (c *channel) page(since history.Since, limit int, ofLog func(epoch string) bool, now time.Time) *history.Page {
	after, gap := c.find(since, ofLog)
	rest := c.entries[after-c.dropped():]
	left := 0
	for left < len(rest) && rest[left].left() {
		left++
	}
	if left > 0 && since.Kind == history.SinceCursor && (gap == nil || gap.Reason == history.Expired) {
		missed := uint64(left)
		if gap != nil {
			missed += gap.Missed
		}
		gap = &history.Gap{Reason: history.Expired, Missed: missed}
	}
	after, rest = after+uint64(left), rest[left:]
	n := 0
	for n < min(len(rest), limit) && !rest[n].left() {
		n++
	}
	page := &history.Page{
		Cursor: history.Cursor{Epoch: c.epoch, ID: after + uint64(n)}, More: n < len(rest), Gap: gap,
		Flood: c.flooded(now), LastTime: c.lastTime,
	}
	if n > 0 {
		page.Messages = make([]history.Message, n)
		for i, e := range rest[:n] {
			page.Messages[i] = e.Message
		}
	}
	return page
}

// find returns the id after which since begins, at least dropped, and what
// cannot be had. mu is held.
func (c *channel) find(since history.Since, ofLog func(epoch string) bool) (after uint64, gap *history.Gap) {
	switch dropped := c.dropped(); since.Kind {
	case history.SinceLast:
		return c.last - min(since.N, uint64(len(c.entries))), nil
	case history.SinceID:
		if since.N > c.last {
			return dropped, nil
		}
		return max(since.N, dropped), nil
	case history.SinceTime:
		at := time.UnixMicro(int64(since.N))
		n, _ := slices.BinarySearchFunc(c.entries, at, func(e *entry, at time.Time) int {
			return cmp.Or(e.Time.Compare(at), -1) // behind one of the same time
		})
		return dropped + uint64(n), nil
	case history.SinceCursor:
		switch id := since.N; {
		case since.Epoch != c.epoch && !ofLog(since.Epoch), id != c.before && ofLog(since.Epoch):
			return dropped, &history.Gap{Reason: history.Restarted}
		case id > c.last:
			return dropped, &history.Gap{Reason: history.Ahead}
		case id < dropped:
			return dropped, &history.Gap{Reason: history.Expired, Missed: dropped - id}
		default:
			return id, nil
		}
	}
	return c.last, nil
}

// flooded tells whether the newest messages came at history.FloodRate or faster.
func (c *channel) flooded(now time.Time) bool {
	const few = 5
	n := len(c.entries)
	return n >= few && now.Sub(c.entries[n-few].at) <= few*time.Second/history.FloodRate
}
