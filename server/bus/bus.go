package bus

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zeromq/zmq4"
)

const (
	defaultShards      = 8
	defaultIdleTimeout = 5 * time.Second
)

// Options of a [Bus]; the zero value is good for a server.
type Options struct {
	// Shards is the number of PUB sockets, 8 if 0. A PUB looks at each of its
	// SUBs for every message, so a busy channel costs only its own shard.
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
	options Options
	seed    maphash.Seed
	shards  []*shard
	closed  atomic.Bool
	done    chan struct{} // closed with the bus
	openers sync.WaitGroup

	connects atomic.Int64
	merged   atomic.Int64
	onMerge  func() // counts it
	released atomic.Int64
	used     usage

	sweeping  atomic.Bool // a sweep is to come; so it is while released SUBs wait
	sweeperMu sync.Mutex
	sweeper   *time.Timer
}

// Stats counts what happened since the start, and what is now.
type Stats struct {
	Connects int64 // SUBs opened, because no released one could be reused
	Merged   int64 // messages that were dropped, since one before them was still to be seen
	Released int64 // SUBs that wait for the next poll of their channel
	Queued   int64 // messages that the PUB sockets have still to send, or that wait for that
}

// Stats returns the counts so far.
func (b *Bus) Stats() Stats {
	stats := Stats{Connects: b.connects.Load(), Merged: b.merged.Load(), Released: b.released.Load()}
	for _, s := range b.shards {
		stats.Queued += s.queue.len()
	}
	return stats
}

// shard is one PUB socket and the released SUBs that are connected to it.
type shard struct {
	endpoint string
	pub      zmq4.Socket
	openings chan *opening

	releasedMu sync.Mutex
	released   map[string][]*Subscription // by channel, longest released first

	queue queue
}

var buses atomic.Int64 // makes endpoints unique in this process

// quiet swallows what zmq4 would print about connections that end.
var quiet = zmq4.WithLogger(log.New(io.Discard, "", 0))

// New opens the PUB sockets of a bus.
func New(options Options) (*Bus, error) {
	if options.Shards == 0 {
		options.Shards = defaultShards
	}
	if options.IdleTimeout == 0 {
		options.IdleTimeout = defaultIdleTimeout
	}
	b := &Bus{options: options, seed: maphash.MakeSeed(), done: make(chan struct{})}
	b.onMerge = func() { b.merged.Add(1) }
	number := buses.Add(1)
	for i := range options.Shards {
		name, security := fmt.Sprintf("bus-%d-%d", number, i), new(handshake)
		s := &shard{
			endpoint: scheme + "://" + name,
			pub:      zmq4.NewPub(context.Background(), zmq4.WithSecurity(security), quiet),
			openings: make(chan *opening),
			released: make(map[string][]*Subscription),
		}
		if err := s.pub.Listen(s.endpoint); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		security.accepted = memory.listener(name)
		b.shards = append(b.shards, s)
		if err := s.queue.follow(b, s); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		b.openers.Go(func() { b.openAll(s) })
	}
	return b, nil
}

func (b *Bus) shard(channel string) *shard {
	return b.shards[maphash.String(b.seed, channel)%uint64(len(b.shards))]
}

// topic is what a SUB asks for. Topics match by prefix, so it ends in a byte
// that no channel name has.
func topic(channel string) string { return channel + "\x00" }

// Publish sends body to every live subscription of channel. It never waits, for
// no subscriber and not for the PUB socket: see queue. Topic and body are one
// frame: each is two writes on every subscriber's connection.
func (b *Bus) Publish(channel string, body []byte) error {
	if b.closed.Load() {
		return ErrClosed
	}
	message := append([]byte(topic(channel)), body...)
	return b.shard(channel).queue.send(channel, message)
}

// Subscribe returns a live subscription: what is published from now on reaches
// it. It may also get messages from before. The caller must Release it.
func (b *Bus) Subscribe(channel string) (*Subscription, error) {
	if b.closed.Load() {
		return nil, ErrClosed
	}
	b.used.enter()
	s := b.shard(channel)
	if sub := b.takeReleased(s, channel); sub != nil {
		return sub, nil
	}
	sub, err := b.openAside(s, channel)
	if err != nil {
		b.used.leave()
	}
	return sub, err
}

// takeReleased returns a SUB that an earlier poll of channel left, nil if none.
// It may hold what came since.
func (b *Bus) takeReleased(s *shard, channel string) *Subscription {
	s.releasedMu.Lock()
	defer s.releasedMu.Unlock()
	for {
		waiting := s.released[channel]
		if len(waiting) == 0 {
			return nil
		}
		sub := waiting[len(waiting)-1]
		s.keepReleased(channel, waiting[:len(waiting)-1])
		b.released.Add(-1)
		if sub.in.closed() { // with the bus
			sub.close()
			continue
		}
		return sub
	}
}

// keepReleased sets the released SUBs of channel. releasedMu is held.
func (s *shard) keepReleased(channel string, subs []*Subscription) {
	if len(subs) == 0 {
		delete(s.released, channel)
		return
	}
	s.released[channel] = subs
}

// spareReleased is how many SUBs may wait to be used again beyond those that were
// in use at a time lately.
const spareReleased = 256

// release keeps sub for the next poll of its channel, unless so many are kept
// already that most can hardly be needed: a client that goes from channel to
// channel must not fill the memory.
func (b *Bus) release(sub *Subscription) {
	b.used.leave()
	if b.released.Add(1) > b.used.most()+spareReleased {
		b.released.Add(-1)
		sub.close()
		return
	}
	sub.releasedAt = time.Now()
	s := sub.shard
	s.releasedMu.Lock()
	s.released[sub.channel] = append(s.released[sub.channel], sub)
	s.releasedMu.Unlock()

	if b.closed.Load() {
		b.closeReleased(s, time.Now(), math.MaxInt)
	} else if !b.sweeping.Load() {
		b.sweepAfter(b.options.IdleTimeout)
	}
}

// sweepAfter sees to it that a sweep comes.
func (b *Bus) sweepAfter(wait time.Duration) {
	b.sweeperMu.Lock()
	defer b.sweeperMu.Unlock()
	if !b.closed.Load() && !b.sweeping.Swap(true) {
		b.sweeper = time.AfterFunc(wait, b.sweep)
	}
}

// sweep closes the SUBs that nobody took for the idle timeout, and comes again
// while any are left.
func (b *Bus) sweep() {
	b.sweeping.Store(false) // first: what is released from here on may not be seen below
	b.used.forget()
	again, left := b.options.IdleTimeout/2, 0
	for _, s := range b.shards {
		closed, n := b.closeReleased(s, time.Now().Add(-b.options.IdleTimeout), sweepAtOnce)
		if left += n; closed == sweepAtOnce {
			again = sweepPause
		}
	}
	if left > 0 {
		b.sweepAfter(again)
	}
}

// A sweep closes so many SUBs of a shard at once and pauses then. zmq4 needs
// longer to forget a SUB than we to close it, and never shrinks the list of
// those that it has still to forget, nor lets go of what was on it.
const (
	sweepAtOnce = 256
	sweepPause  = 10 * time.Millisecond
)

// closeReleased closes at most limit SUBs that were released at or before a time,
// and returns how many it closed and how many are left.
func (b *Bus) closeReleased(s *shard, before time.Time, limit int) (closed, left int) {
	var old []*Subscription
	s.releasedMu.Lock()
	for channel, subs := range s.released {
		n := 0
		for n < len(subs) && len(old)+n < limit && !subs[n].releasedAt.After(before) {
			n++
		}
		left += len(subs) - n
		if n == 0 {
			continue
		}
		old = append(old, subs[:n]...)
		// A clone: what is left of a long slice keeps all of it in memory.
		s.keepReleased(channel, slices.Clone(subs[n:]))
	}
	s.releasedMu.Unlock()
	b.released.Add(int64(-len(old)))
	for _, sub := range old {
		sub.close()
	}
	return len(old), left
}

// Close ends the bus. Subscriptions that are still out get an error from Recv.
func (b *Bus) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.sweeperMu.Lock()
	if b.sweeper != nil {
		b.sweeper.Stop()
	}
	b.sweeperMu.Unlock()
	close(b.done)
	b.openers.Wait()
	var errs []error
	for _, s := range b.shards {
		b.closeReleased(s, time.Now(), math.MaxInt)
		errs = append(errs, s.close(b))
	}
	return errors.Join(errs...)
}

// close closes the PUB socket. zmq4 leaves its writer goroutine behind, waiting
// on a queue that nobody can reach any more. So the writer's last message goes
// to a SUB whose connection ends the goroutine that writes to it; its deferred
// calls give back the locks it holds.
func (s *shard) close(b *Bus) error {
	const last = "/last" // no channel can be named so
	sub, err := b.open(s, last, topic(last))
	if err != nil {
		return errors.Join(err, s.pub.Close(), s.queue.close())
	}
	ended := sub.in.endWriter()
	if err := s.pub.Send(zmq4.NewMsgString(topic(last))); err != nil {
		return err
	}
	<-ended
	return errors.Join(s.pub.Close(), sub.socket.Close(), s.queue.close())
}
