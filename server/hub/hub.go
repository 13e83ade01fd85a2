// Package hub joins the message log and the bus: the bus rings, the log tells.
//
// A message is appended to its channel's log, then published on the bus, in
// one order. A follower subscribes to the bus first, reads the log second and
// waits third; whatever rings, it answers from the log after its place. So a
// lost, doubled or late ring costs delay at most. It can never lose, double or
// reorder a message.
package hub

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// Hub is the one way in and out for messages. Its methods are safe for
// concurrent use. It has nothing to close: bus and log are the caller's.
type Hub struct {
	bus *bus.Bus
	log history.Log

	seed       maphash.Seed
	sequencers [256]sync.Mutex // one for each channel, shared by some

	waiting atomic.Int64
}

// New returns a hub over a bus and a log.
func New(b *bus.Bus, log history.Log) *Hub {
	return &Hub{bus: b, log: log, seed: maphash.MakeSeed()}
}

// Publish gives object the channel's next id and rings for it. When it returns
// without an error the message is in the log. object, by and the errors are as for
// [history.Log.Append].
func (h *Hub) Publish(channel string, object []byte, by history.Owner) (history.Cursor, error) {
	sequencer := &h.sequencers[maphash.String(h.seed, channel)%uint64(len(h.sequencers))]
	sequencer.Lock()
	defer sequencer.Unlock()
	message, cursor, err := h.log.Append(channel, object, by)
	if err != nil {
		return history.Cursor{}, err
	}
	// The message is acknowledged by the log; without a ring its readers only
	// come for it later. That is so when the bus has closed: nobody waits then.
	if err := h.bus.Publish(channel, message.ID); err != nil && !errors.Is(err, bus.ErrClosed) {
		return history.Cursor{}, err
	}
	return cursor, nil
}

// Gather is how long an answer may wait for more of a flood, so that it carries
// several messages; see [Hub.Follow].
const Gather = 5 * time.Millisecond

// Query is what a follower asks for.
type Query struct {
	Channel string
	Since   history.Since
	Limit   int           // messages
	Timeout time.Duration // 0 for none
	Waited  bool          // told by Follow: nothing was there at first
}

// Follow returns what the channel has since the given place. If that is nothing
// it waits for the next message. When ctx ends first it returns the context's
// cause, after the timeout [bus.ErrTimeout], and when the bus is closed
// [bus.ErrClosed], each with an empty page. A gap is told at once. With each page
// q.Since is moved to where to go on.
//
// In a flood, and where a follower finds a fresh message without having waited,
// which is to ask slower than messages come, it is given more at a time: the page
// is filled until its first message is as old as [Gather]. On a calm channel who
// waits for a message has it at once.
func (h *Hub) Follow(ctx context.Context, q *Query) (*history.Page, error) {
	ring, err := h.bus.Subscribe(q.Channel)
	if err != nil {
		return nil, err
	}
	defer ring.Release()
	ring.SetTimeout(q.Timeout)
	var ended error
	for q.Waited = false; ; q.Waited = true {
		ring.Clear() // what has rung so far is in the log
		page, err := h.next(ctx, q)
		if err != nil || len(page.Messages) > 0 || page.Gap != nil {
			return page, err
		} else if ended != nil { // and nothing came at the same time
			return page, ended
		}
		if ended = ring.Err(); ended != nil {
			continue
		}
		h.waiting.Add(1)
		select {
		case <-ring.Ready():
			ended = ring.Err()
		case <-ctx.Done():
			ended = context.Cause(ctx)
		}
		h.waiting.Add(-1)
	}
}

// next reads what there is, and moves q.Since past it.
func (h *Hub) next(ctx context.Context, q *Query) (*history.Page, error) {
	page, err := h.log.Read(q.Channel, q.Since, q.Limit)
	if err == nil && (page.Flood || !q.Waited) && gather(ctx, page, q.Limit) {
		page, err = h.log.Read(q.Channel, q.Since, q.Limit)
	}
	if err == nil {
		q.Since = history.After(page.Cursor)
	}
	return page, err
}

// gather waits until it pays to read the page anew, if it does.
func gather(ctx context.Context, page *history.Page, limit int) bool {
	if n := len(page.Messages); n == 0 || n >= limit {
		return false
	}
	wait := Gather - time.Since(page.Messages[0].Time)
	if wait <= 0 || wait > Gather { // a clock that was set back makes no message younger
		return false
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return true
}

// Waiting returns how many followers wait for a message: whatever is published
// from now on reaches them.
func (h *Hub) Waiting() int64 { return h.waiting.Load() }

// Read is Follow without the wait.
func (h *Hub) Read(q *Query) (*history.Page, error) {
	return h.log.Read(q.Channel, q.Since, q.Limit)
}
