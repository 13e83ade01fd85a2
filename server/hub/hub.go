// Package hub joins the log of messages and the bus. The log has the messages. The bus
// only tells that there is something new: it rings.
//
// A message is first appended to its channel's log and then published on the bus. A
// follower first subscribes to the bus, then reads the log, then waits for a ring.
// Whatever rings, it reads the log after its cursor. So a ring that is lost, doubled,
// early or late can delay a message, but it cannot lose, double or reorder one.
package hub

import (
	"context"
	"errors"
	"sync/atomic"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// Hub publishes messages and reads them. No other package uses the log and the bus. Its
// methods are safe for concurrent use. It need not be closed: its caller closes the bus
// and the log. Make it with [New].
type Hub struct {
	bus     *bus.Bus
	log     history.Log
	waiting atomic.Int64
}

// New returns a hub over a bus and a log.
func New(b *bus.Bus, log history.Log) *Hub { return &Hub{bus: b, log: log} }

// Publish appends a post to the log and rings for it. When it returns without an error,
// the log has the message and every follower gets it. Its errors are those of
// [history.Log.Append], and those of a bus that is broken.
//
// No lock is held while it appends, so two messages of a channel may ring in another
// order than the log has them. That does no harm: a follower reads both at the first
// ring.
func (h *Hub) Publish(ctx context.Context, post history.Post) (history.Receipt, error) {
	receipt, err := h.log.Append(context.WithoutCancel(ctx), post) // its client may leave right behind it
	if err != nil {
		return receipt, err
	}
	// The log has the message; of a repeat the first post may not have been confirmed, and
	// not have rung. Without a ring its readers only get it later, at their
	// next poll. When the bus is closed nobody waits, so that is no error.
	if err := h.bus.Publish(post.Channel, receipt.Cursor.ID); err != nil && !errors.Is(err, bus.ErrClosed) {
		return receipt, err
	}
	return receipt, nil
}

// Waiting returns how many clients wait: those of followers in Next, and those that [Hub.Waits]
// has counted. All of them get what is published from now on.
func (h *Hub) Waiting() int64 { return h.waiting.Load() }

// Waits counts so many more clients as waiting, for a follower that is hidden.
func (h *Hub) Waits(more int64) { h.waiting.Add(more) }

// Channels returns the names of the channels that have messages, sorted. The slice is
// shared: do not change it.
func (h *Hub) Channels(ctx context.Context) ([]string, error) { return h.log.Channels(ctx) }

// Len returns how many channels have messages.
func (h *Hub) Len(ctx context.Context) (int, error) { return h.log.Len(ctx) }
