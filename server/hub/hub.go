// Package hub joins the log and the bus. The log has the messages. The bus rings when there
// is something new.
//
// A message is first appended to its channel's log and then published on the bus. A follower
// first subscribes to the bus, then reads the log, then waits for a ring. At any ring it
// reads the log after its cursor. So a ring that is lost, doubled, early or late can delay a
// message, but cannot lose, double or reorder one.
package hub

import (
	"context"
	"errors"
	"sync/atomic"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// Hub publishes messages and reads them. Nobody else uses both the log and the bus, but for the
// cache of a shared log, which rings for what other instances have appended. Make it with
// [New]. It need not be closed: its caller closes the bus and the log. Its methods are safe
// for concurrent use. Those that use the log may wait for a disk or a network, and take no
// lock of this package.
type Hub struct {
	bus     *bus.Bus
	log     history.Log
	waiting atomic.Int64
}

// New returns a hub for a bus and a log.
func New(b *bus.Bus, log history.Log) *Hub { return &Hub{bus: b, log: log} }

// Publish appends a post to the log and rings for it. After it returned without an error, the
// log has the message and every follower gets it. The errors are those of
// [history.Log.Append], and that of a broken bus.
//
// No lock is held while it appends. So two messages of a channel may ring in another order
// than the log has them. That does no harm: a follower reads both at the first ring.
func (h *Hub) Publish(ctx context.Context, post history.Post) (history.Receipt, error) {
	receipt, err := h.log.Append(context.WithoutCancel(ctx), post) // the client may hang up as soon as it has sent the post
	if err != nil {
		return receipt, err
	}
	// A repeat rings, too: the first post may have failed before it rang. When the bus is
	// closed nobody waits for a ring, so that is no error.
	if err := h.bus.Publish(post.Channel, receipt.Cursor.ID); err != nil && !errors.Is(err, bus.ErrClosed) {
		return receipt, err
	}
	return receipt, nil
}

// Waiting returns how many clients wait: followers in Next, and those counted by [Hub.Waits].
func (h *Hub) Waiting() int64 { return h.waiting.Load() }

// Waits adds to the clients that wait, for a hidden follower. more may be negative.
func (h *Hub) Waits(more int64) { h.waiting.Add(more) }

// Channels returns the names of the channels that have messages, sorted. The slice is
// shared: do not change it.
func (h *Hub) Channels(ctx context.Context) ([]string, error) { return h.log.Channels(ctx) }

// Len returns how many channels have messages.
func (h *Hub) Len(ctx context.Context) (int, error) { return h.log.Len(ctx) }
