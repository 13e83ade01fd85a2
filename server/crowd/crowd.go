package crowd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// Crowd is the set of readers of the same channels and kind that are up to date.
type Crowd struct {
	crowds   *Crowds
	key      key
	channels []string
	ctx      context.Context // ends with stop
	stop     context.CancelFunc

	opened   chan struct{} // closed when follower and err are set
	follower *hub.Follower
	err      error

	readers int         // entered and not left; Crowds.mu guards this, lingers and idle
	lingers bool        // the crowd goes on without readers
	idle    *time.Timer // ends the crowd when it has lingered; nil before the first time

	mu     sync.Mutex // guards the fields below; a shard's lock may be taken under it
	at     []history.Cursor
	shards []*shard // only the last one takes new readers
	ended  bool     // no reader can join any more
	look   func()   // cancels the wait for news, see next; nil before the first
}

// Channels returns the names of the channels. The slice is shared: do not change it.
func (c *Crowd) Channels() []string { return c.channels }

func (c *Crowd) kind() *Kind { return c.key.kind }

// open opens the follower. If that fails, the next reader that enters tries again.
func (c *Crowd) open() {
	defer close(c.opened) // also after a panic
	defer func() {
		if c.err != nil {
			c.forget()
		}
	}()
	follower, err := c.crowds.hub.Follow(followed(c.channels), c.kind().Limit)
	if err != nil {
		c.err = err
		return
	}
	follower.Hide()
	follower.SetGather(c.kind().Gather)
	c.follower, c.err = follower, nil
	go c.run()
}

func (c *Crowd) isOpen() bool {
	select {
	case <-c.opened:
		return c.err == nil
	default:
		return false
	}
}

// Leave undoes one Enter or Find. Call it once for each, when the reader is out.
func (c *Crowd) Leave() {
	c.crowds.mu.Lock()
	defer c.crowds.mu.Unlock()
	switch c.readers--; {
	case c.readers > 0:
		return
	case c.kind().Linger == 0 || c.ctx.Err() != nil || c.crowds.byKey[c.key] != c || c.crowds.lingering+len(c.channels) > maxLingering:
		c.finish()
		return
	}
	c.linger(true)
	if c.idle == nil {
		c.idle = time.AfterFunc(c.kind().Linger, c.finishIdle)
	} else {
		c.idle.Reset(c.kind().Linger)
	}
}

// linger sets whether the crowd goes on without readers. Crowds.mu is held.
func (c *Crowd) linger(does bool) {
	switch {
	case does && !c.lingers:
		c.crowds.lingering += len(c.channels)
	case !does && c.lingers:
		c.crowds.lingering -= len(c.channels)
	}
	c.lingers = does
}

func (c *Crowd) finishIdle() {
	c.crowds.mu.Lock()
	defer c.crowds.mu.Unlock()
	if c.readers == 0 { // otherwise a reader has entered again
		c.finish()
	}
}

// finish ends a crowd without readers. Crowds.mu is held.
func (c *Crowd) finish() {
	c.linger(false)
	c.crowds.forget(c)
	c.stop()
}

func (c *Crowd) forget() {
	c.crowds.mu.Lock()
	defer c.crowds.mu.Unlock()
	c.crowds.forget(c)
}

// run serves the crowd until stop is called.
func (c *Crowd) run() {
	defer c.follower.Close()
	defer c.end()
	defer c.contain()
	page, err := c.follower.Read(c.ctx)
	for ticked := time.Now(); ; {
		if page != nil {
			c.deliver(page)
		}
		switch {
		case c.ctx.Err() != nil || errors.Is(err, hub.ErrClosed):
			c.deliverAll()
			return
		case err != nil && !quiet(err):
			c.pause()
		}
		wait := lookEvery
		if every := c.kind().Tick; every > 0 {
			if wait = every - time.Since(ticked); wait <= 0 {
				c.tick()
				ticked, wait = time.Now(), every
			}
		}
		c.follower.SetTimeout(wait)
		page, err = c.next()
	}
}

// lookEvery is how often a crowd reads the log without being rung. A lost ring, as when a
// Redis fails over, delays messages by no more, because polls that come back do not read the
// log. Reading also finds new cursors for the same place, and forgotten messages, where
// nobody posts.
const lookEvery = 20 * time.Second

// next returns the next news. At the timeout, or when Look cancels the wait, the follower reads
// the log once more; if that has no news either, next returns an error that is quiet.
func (c *Crowd) next() (*hub.Page, error) {
	ctx, look := context.WithCancel(c.ctx)
	defer look()
	c.mu.Lock()
	c.look = look
	c.mu.Unlock()
	return c.follower.Next(ctx)
}

// Look makes the crowd read the log without a ring. It is for a reader that has nothing to
// read but cannot join, because it has another cursor than the crowd. Look does not wait.
func (c *Crowd) Look() {
	c.mu.Lock()
	look := c.look
	c.mu.Unlock()
	if look != nil {
		look()
	}
}

// contain reports a panic and ends it here, not the process. A deferred contain in run ends the
// crowd: the readers come back to another one.
func (c *Crowd) contain() {
	if cause := recover(); cause != nil {
		c.crowds.panicked(cause, c.channels)
	}
}

// ask calls a method of a reader that has everything up to at. If the method panics, the
// reader leaves.
func (c *Crowd) ask(r Reader, at []history.Cursor, method func() (leave func())) (leave func()) {
	defer func() {
		if cause := recover(); cause != nil {
			c.crowds.panicked(cause, c.channels)
			leave = func() { r.End(at) }
		}
	}()
	return method()
}

// give calls Give for a reader in a shard.
func (c *Crowd) give(r Reader, news *News) (leave func()) {
	return c.ask(r, news.From, func() func() { return r.Give(news) })
}

// giveOut calls Give for a reader that is out.
func (c *Crowd) giveOut(r Reader, news *News) {
	if leave := c.give(r, news); leave != nil {
		c.call(leave)
	}
}

// call calls a function of a reader that is out.
func (c *Crowd) call(f func()) {
	defer c.contain()
	f()
}

// quiet tells whether an error means that there was nothing to read.
func quiet(err error) bool {
	return errors.Is(err, hub.ErrNothing) || errors.Is(err, hub.ErrTimeout) || errors.Is(err, context.Canceled)
}

// againAfter is how long a crowd waits when the log cannot be read. A ring, as when the log
// is back, ends the wait.
const againAfter = time.Second

func (c *Crowd) pause() {
	select {
	case <-time.After(againAfter):
	case <-c.follower.Ready():
	case <-c.ctx.Done():
	}
}

// deliver gives a page to all readers. It sets the place of the crowd first, so a shard
// made meanwhile starts after the page and is not given it.
func (c *Crowd) deliver(page *hub.Page) {
	c.follower.Cut(page, c.kind().Bytes)
	news := &News{Page: page, To: slices.Clone(page.Cursors)}
	c.mu.Lock()
	news.From, c.at = c.at, news.To
	shards := c.inUse()
	c.mu.Unlock()
	if page.HasNews() && len(shards) > 0 {
		news.Text = c.kind().Encode(page)
	}
	for _, s := range shards {
		s.deliver(news)
	}
}

// deliverAll delivers all pages that are there.
func (c *Crowd) deliverAll() {
	for {
		page, err := c.follower.Read(context.Background())
		if err != nil {
			return
		}
		c.deliver(page)
	}
}

func (c *Crowd) tick() {
	c.mu.Lock()
	shards := c.inUse()
	c.mu.Unlock()
	for _, s := range shards {
		s.tick(time.Now())
	}
}

// inUse returns the shards, and drops the empty ones. mu is held.
func (c *Crowd) inUse() []*shard {
	c.shards = slices.DeleteFunc(c.shards, (*shard).isEmpty)
	return slices.Clone(c.shards)
}

// end takes all readers out and calls End. No reader can join any more.
func (c *Crowd) end() {
	c.forget()
	c.mu.Lock()
	shards := c.shards
	c.shards, c.ended = nil, true
	c.mu.Unlock()
	for _, s := range shards {
		s.end()
	}
}

// Outcome is the result of a try to join.
type Outcome int

const (
	// Joined: the reader is in the crowd, and may have been given news already.
	Joined Outcome = iota
	// Behind: the reader has to read more of the log first.
	Behind
	// Ended: the crowd has ended. A new one may take its place, unless there is a drain.
	Ended
)

// Join takes in a reader that is out and has read the log up to at.
func (c *Crowd) Join(r Reader, at []history.Cursor) Outcome { return c.join(r, at, true) }

// At returns up to where the crowd has read, nil if it has not yet. The place may move at any
// time. The slice is shared: do not change it.
func (c *Crowd) At() []history.Cursor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// IsAt tells whether the crowd is at the given place. That may change at any time.
func (c *Crowd) IsAt(at []history.Cursor) bool {
	now := c.At()
	return now != nil && same(at, now)
}

// JoinUnread is Join for a reader that has not read the log, but has everything up to at by
// its own account. It joins only where the crowd is, or where a shard is that still lags. Else
// it is Behind: the log may have lost the next messages, or be another one.
func (c *Crowd) JoinUnread(r Reader, at []history.Cursor) Outcome { return c.join(r, at, false) }

func (c *Crowd) join(r Reader, at []history.Cursor, read bool) Outcome {
	c.mu.Lock() // until the reader has joined, so that its shard is not dropped
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return Ended
	// If the reader is where the crowd is, its shard may still be a page behind. Then the
	// reader counts as ahead of the shard.
	case c.withRoom().join(r, at, read || same(at, c.at)):
		return Joined
	}
	return Behind
}

// withRoom returns a shard that has room. mu is held.
func (c *Crowd) withRoom() *shard {
	last := len(c.shards) - 1
	if last >= 0 && c.shards[last].size.Load() < shardSize {
		return c.shards[last]
	}
	for i, s := range c.shards {
		if s.size.Load() <= shardSize/2 { // so that not each reader that joins has to search
			c.shards[i], c.shards[last] = c.shards[last], s
			return s
		}
	}
	s := &shard{crowd: c, at: c.at}
	c.shards = append(c.shards, s)
	return s
}
