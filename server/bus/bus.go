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

// Options of a [Bus]; the zero value is good for a server.
type Options struct {
	// Shards is the number of PUB sockets, 8 if 0. A PUB looks at each of its
	// SUBs for every ring, so a busy channel costs only its own shard.
	Shards int

	// IdleTimeout is how long a released SUB is kept for the next poll of its
	// channel, 5 s if 0.
	IdleTimeout time.Duration
}

// ErrClosed is what a closed bus answers.
var ErrClosed = errors.New("the message bus is closed")

// Bus spreads channels over PUB sockets. Its methods are safe for concurrent
// use. Close it to give everything back.
type Bus struct {
	seed     maphash.Seed
	shards   []*shard
	released *released
	closed   atomic.Bool

	connects atomic.Int64
	merged   atomic.Int64
}

// Stats counts what happened since the start, and what is now.
type Stats struct {
	Connects int64 // SUBs opened, because no released one could be reused
	Merged   int64 // rings that were dropped, since one before them was still to be heard
	Released int64 // SUBs that wait for the next poll of their channel
	Queued   int64 // rings that the PUB sockets have still to send
}

// Stats returns the counts so far.
func (b *Bus) Stats() Stats {
	stats := Stats{Connects: b.connects.Load(), Merged: b.merged.Load(), Released: b.released.len()}
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
	b := &Bus{seed: maphash.MakeSeed(), released: newReleased(options.IdleTimeout)}
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

// Publish rings every live subscription of channel: there is a message with this
// id, and maybe newer ones. It never waits, for no subscriber and not for the PUB
// socket: see queue. A channel's name has at least one byte, and no zero byte.
func (b *Bus) Publish(channel string, id uint64) error {
	if b.closed.Load() {
		return ErrClosed
	}
	return b.shard(channel).queue.send(channel, id)
}

// Subscribe returns a live subscription: what is published from now on rings it.
// It may also hold a ring from before. The caller must Release it.
func (b *Bus) Subscribe(channel string) (*Subscription, error) {
	if b.closed.Load() {
		return nil, ErrClosed
	}
	if sub := b.released.take(channel); sub != nil {
		return sub, nil
	}
	sub, err := b.open(channel)
	if err != nil {
		b.released.lost()
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

// Close ends the bus. Subscriptions that are still out get [ErrClosed] from Err.
func (b *Bus) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.released.close()
	var errs []error
	for _, s := range b.shards {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
