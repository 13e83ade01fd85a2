// Package hub joins the message log and the bus: the bus rings, the log tells.
//
// A message is appended to its channel's log, then published on the bus. A follower
// subscribes to the bus first, reads the log second and waits third; whatever rings,
// it answers from the log after its place. So a lost, doubled, early or late ring
// costs delay at most. It can never lose, double or reorder a message.
package hub

import (
	"context"
	"errors"
	"sync/atomic"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// Hub is the one way in and out for messages. Its methods are safe for
// concurrent use. It has nothing to close: bus and log are the caller's.
type Hub struct {
	bus     *bus.Bus
	log     history.Log
	waiting atomic.Int64
}

// New returns a hub over a bus and a log.
func New(b *bus.Bus, log history.Log) *Hub { return &Hub{bus: b, log: log} }

// Publish appends a post to the log and rings for it. When it returns without an
// error the message is kept. The errors are those of [history.Log.Append].
//
// No lock is held over the log. So two messages of a channel may ring in another
// order than they are in: whoever hears the first ring reads both.
func (h *Hub) Publish(ctx context.Context, post history.Post) (history.Receipt, error) {
	receipt, err := h.log.Append(ctx, post)
	if err != nil || receipt.Repeat {
		return receipt, err
	}
	// The message is acknowledged by the log; without a ring its readers only
	// come for it later. That is so when the bus has closed: nobody waits then.
	if err := h.bus.Publish(post.Channel, receipt.Cursor.ID); err != nil && !errors.Is(err, bus.ErrClosed) {
		return receipt, err
	}
	return receipt, nil
}

// Waiting returns how many followers wait for a message: whatever is published
// from now on reaches them.
func (h *Hub) Waiting() int64 { return h.waiting.Load() }

// Channels returns the names of the channels that have messages, sorted. It is
// shared: do not change it.
func (h *Hub) Channels(ctx context.Context) ([]string, error) { return h.log.Channels(ctx) }

// Len is how many channels have messages.
func (h *Hub) Len(ctx context.Context) (int, error) { return h.log.Len(ctx) }
