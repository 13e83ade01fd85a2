package stream

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// A crowd is all streams of the same channels and the same way that are up to date. Each
// of them is to be sent the same bytes. So one follower reads what is new, it is encoded
// once, and one goroutine writes it to each connection without waiting. A connection that
// does not take all of it leaves the crowd, and goes on by itself from where it is.
//
// That saves each stream a goroutine, a wake-up and an encoding: of the time that a
// delivery takes nearly all is the system call that sends it.
type crowd struct {
	streams  *Streams
	channels []string
	way      Way
	follower *hub.Follower
	stop     context.CancelFunc
	members  int // with those who are about to join; guarded by Streams.mu

	mu     sync.Mutex // guards all below
	at     []history.Cursor
	shards []*shard
	ended  bool // nobody can join any more
}

// key is what the streams of a crowd have in common.
type key struct {
	names string // of the channels, with commas
	way   Way
}

// enter returns the crowd for a request, which has begun to follow. Call leaveCrowd when
// the stream has ended.
func (s *Streams) enter(a *asked, way Way) (*crowd, error) {
	k := key{strings.Join(a.channels, ","), way}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.crowds[k]; c != nil {
		c.members++
		return c, nil
	}
	own := slices.Clone(a.places)
	for i := range own {
		own[i].Since, own[i].By = history.Now(), netip.Addr{} // it reads for all
	}
	follower, err := s.hub.Follow(own, maxPage)
	if err != nil {
		return nil, err
	}
	follower.Hide()
	follower.SetGather(gather)
	ctx, stop := context.WithCancel(context.Background())
	c := &crowd{streams: s, channels: a.channels, way: way, follower: follower, stop: stop, members: 1}
	s.crowds[k] = c
	if s.draining {
		stop()
	}
	go c.run(ctx)
	return c, nil
}

// leaveCrowd ends a crowd when its last stream has left.
func (s *Streams) leaveCrowd(c *crowd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.members--; c.members == 0 {
		delete(s.crowds, key{strings.Join(c.channels, ","), c.way})
		c.stop()
	}
}

// run serves the crowd until stop is called.
func (c *crowd) run(ctx context.Context) {
	defer c.follower.Close()
	defer c.contain()
	page, err := c.follower.Read(ctx)
	for ticked := time.Now(); ; {
		if page != nil {
			c.deliver(page)
		}
		switch {
		case ctx.Err() != nil || errors.Is(err, hub.ErrClosed):
			c.finish()
			return
		case err != nil && !quiet(err):
			c.pause(ctx)
		}
		left := c.streams.tick - time.Since(ticked)
		if left <= 0 {
			c.tick()
			ticked, left = time.Now(), c.streams.tick
		}
		c.follower.SetTimeout(left)
		page, err = c.follower.Next(ctx)
	}
}

// contain ends the crowd's streams if serving them panics: they come back to another crowd.
func (c *crowd) contain() {
	if cause := recover(); cause != nil {
		c.streams.responder.PanickedAside(cause, "channels", c.channels)
		c.endAll()
	}
}

// gather is how old the first message of a page may become in a flood while a crowd waits
// for more. It is less than for polls, whose answers cost far more than a write.
const gather = 2 * time.Millisecond

// quiet tells whether an error means that there was nothing to read.
func quiet(err error) bool {
	return errors.Is(err, hub.ErrNothing) || errors.Is(err, hub.ErrTimeout) || errors.Is(err, context.Canceled)
}

// againAfter is how long a crowd waits when the log cannot be read. It is rung for when
// the log is back, too.
const againAfter = time.Second

func (c *crowd) pause(ctx context.Context) {
	select {
	case <-time.After(againAfter):
	case <-c.follower.Ready():
	case <-ctx.Done():
	}
}

// deliver writes a page to all. It sets where the crowd is first: a shard that is made
// meanwhile is of those who have the page already.
func (c *crowd) deliver(page *hub.Page) {
	c.follower.Cut(page, maxBytes)
	b := c.encode(page)
	c.mu.Lock()
	c.at = page.Cursors
	shards := slices.Clone(c.shards)
	c.mu.Unlock()
	for _, s := range shards {
		c.streams.metrics.DeliverTo(page, s.deliver(page, b))
	}
}

// encode returns what is written for a page, nil if it has no news.
func (c *crowd) encode(page *hub.Page) []byte {
	if !page.HasNews() {
		return nil
	}
	return c.way.page(page)
}

// tick writes to silent streams, and ends those that are over their lifetime.
func (c *crowd) tick() {
	c.mu.Lock()
	c.shards = slices.DeleteFunc(c.shards, (*shard).closeEmpty)
	shards := slices.Clone(c.shards)
	c.mu.Unlock()
	for _, s := range shards {
		s.tick(time.Now())
	}
}

// finish delivers what there is, and ends all streams.
func (c *crowd) finish() {
	for {
		page, err := c.follower.Read(context.Background())
		if err != nil {
			break
		}
		c.deliver(page)
	}
	c.endAll()
}

// endAll ends all streams. Nobody can join any more.
func (c *crowd) endAll() {
	c.mu.Lock()
	shards := c.shards
	c.shards, c.ended = nil, true
	c.mu.Unlock()
	for _, s := range shards {
		s.finish()
	}
}

// shardFor returns a shard that has room, nil if the crowd has ended.
func (c *crowd) shardFor() *shard {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	if n := len(c.shards); n > 0 && c.shards[n-1].hasRoom() {
		return c.shards[n-1]
	}
	s := newShard(c, c.at)
	c.shards = append(c.shards, s)
	return s
}
