package bus

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"
)

const (
	defaultShards      = 8
	defaultIdleTimeout = 5 * time.Second
)

// Options of a [Bus]. The zero value is good for a server.
type Options struct {
	// Shards is the number of PUB sockets, 8 if 0. For every ring, a PUB looks at all of its
	// SUBs. So a busy channel burdens the channels of its shard only.
	Shards int

	// IdleTimeout is how long a released SUB is kept for the next poll of its channel, 5 s if
	// 0.
	IdleTimeout time.Duration
}

// ErrClosed is the error of a closed bus.
var ErrClosed = errors.New("the message bus is closed")

// Bus spreads channels over PUB sockets. Make it with [New], and close it. Its methods are
// safe for concurrent use.
type Bus struct {
	seed   maphash.Seed
	shards []*shard
	pool   *pool
	closed atomic.Bool

	connects atomic.Int64
	merged   atomic.Int64
}

// Stats has counts since the start, and current ones.
type Stats struct {
	Connects int64 // SUBs that were opened, because there was no released one
	Merged   int64 // rings that were dropped, because an earlier one was not heard yet
	Released int64 // SUBs that are kept for the next poll of their channel
	Queued   int64 // rings that the PUB sockets have yet to send
}

// Stats returns the current counts.
func (b *Bus) Stats() Stats {
	stats := Stats{Connects: b.connects.Load(), Merged: b.merged.Load(), Released: b.pool.len()}
	for _, s := range b.shards {
		stats.Queued += s.queue.len()
	}
	return stats
}

// New opens the PUB sockets of a bus.
func New(options Options) (*Bus, error) {
	if options.Shards == 0 {
		options.Shards = defaultShards
	}
	if options.IdleTimeout == 0 {
		options.IdleTimeout = defaultIdleTimeout
	}
	b := &Bus{seed: maphash.MakeSeed(), pool: newPool(options.IdleTimeout)}
	for range options.Shards {
		s, err := newShard(&b.merged)
		if err != nil {
			return nil, errors.Join(err, b.Close())
		}
		b.shards = append(b.shards, s)
	}
	return b, nil
}

func (b *Bus) shard(channel string) *shard {
	return b.shards[maphash.String(b.seed, channel)%uint64(len(b.shards))]
}

// Publish rings every live subscription of a channel: there is a message with this id, and
// maybe newer ones. It does not wait for a subscriber or for the PUB socket, see queue. The
// name of a channel has at least one byte, and no zero byte.
func (b *Bus) Publish(channel string, id uint64) error {
	if b.closed.Load() {
		return ErrClosed
	}
	return b.shard(channel).queue.send(channel, id)
}

// Subscribe returns a live subscription: whatever is published from now on rings it. It may
// also have an older ring. Release it. Subscribe waits while other subscriptions of its shard
// are opened.
func (b *Bus) Subscribe(channel string) (*Subscription, error) {
	if b.closed.Load() {
		return nil, ErrClosed
	}
	if sub := b.pool.take(channel); sub != nil {
		return sub, nil
	}
	sub, err := b.open(channel)
	if err != nil {
		b.pool.lost()
	}
	return sub, err
}

func (b *Bus) open(channel string) (sub *Subscription, err error) {
	b.connects.Add(1)
	sub = &Subscription{bus: b, channel: channel, ready: make(chan struct{}, 1)}
	if sub.socket, err = b.shard(channel).dial(topic(channel), sub); err != nil {
		return nil, fmt.Errorf("subscribe to %q: %w", channel, err)
	}
	return sub, nil
}

// Close closes the bus. Err of its subscriptions returns [ErrClosed] then. Close may be
// called again.
func (b *Bus) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.pool.close()
	var errs []error
	for _, s := range b.shards {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
