// Package crowd makes the readers of the same channels read together. All readers that are up
// to date get the same bytes: one follower reads what is new, it is encoded once, and one
// goroutine gives it to each reader. A reader in a crowd needs no goroutine, subscription or
// wake-up of its own.
//
// A reader is in one of these states. [Crowd.Join] and the methods of [Reader] tell what it
// must do in each:
//
//	out     in no shard; it belongs to one goroutine, its own or the one that took it out
//	in      in a shard, and has everything up to the shard's place
//	ahead   in a shard, and has read further than the shard: it is given the rest of pages
//
//	out → in, ahead   Join
//	ahead → in        a page that reaches its place
//	in, ahead → out   a page of a Once kind, or Give or Tick that says so; Lag; End;
//	                  Drop, or Do that says so
//
// Each of these moves is made with the shard's lock held. So one goroutine only takes a
// reader out, and the reader is given nothing more after that.
//
// Crowd.mu comes before shard.mu. Crowds.mu is held alone. No lock of this package is held
// over hub.Follow or a read of the follower.
package crowd

import (
	"context"
	"errors"
	"strings"
	"sync"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// Crowds has one crowd for each list of channels and kind. Make it with [New]. Its methods
// are safe for concurrent use.
type Crowds struct {
	hub      *hub.Hub
	panicked func(cause any, channels []string)

	mu        sync.Mutex // guards the fields below, and some fields of each crowd; no other lock is taken under it
	byKey     map[key]*Crowd
	lingering int // in all crowds that linger
	draining  bool
}

// maxLingering is how many channels lingering crowds may have in all. Each takes 8 KB, and
// any client can ask for one list of channels after the other.
const maxLingering = 1024

// key identifies a crowd.
type key struct {
	names string // of the channels, joined by commas
	kind  *Kind
}

// New returns crowds that read from a hub. panicked is called in a deferred function, so that
// it finds the stack of the panic. What was served for the channels ends.
func New(h *hub.Hub, panicked func(cause any, channels []string)) *Crowds {
	return &Crowds{hub: h, panicked: panicked, byKey: make(map[key]*Crowd)}
}

var errNotOpened = errors.New("the follower of a crowd could not be opened")

// Enter returns the crowd for a reader, which follows from now on: whatever is published
// later is given to those that join. Enter waits until the follower is open, and delays only
// others that enter the same crowd. The errors are those of [hub.Hub.Follow]. Call Leave when
// the reader does not need the crowd any more.
func (s *Crowds) Enter(channels []string, kind *Kind) (*Crowd, error) {
	c, made := s.get(key{strings.Join(channels, ","), kind})
	if made {
		c.open()
	}
	<-c.opened
	if c.err != nil {
		c.Leave()
		return nil, c.err
	}
	return c, nil
}

// get returns a crowd that may not be open yet. If made is true the caller must open it.
func (s *Crowds) get(k key) (c *Crowd, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.byKey[k]; c != nil {
		c.enter()
		return c, false
	}
	k.names = strings.Clone(k.names) // otherwise the crowd keeps a request's address in memory
	c = &Crowd{crowds: s, key: k, channels: strings.Split(k.names, ","), readers: 1, opened: make(chan struct{}), err: errNotOpened}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if s.draining {
		c.stop()
	}
	s.byKey[k] = c
	return c, true
}

// Find is Enter without waiting: it returns nil if there is no such crowd, or if it is not
// open yet.
func (s *Crowds) Find(channels []string, kind *Kind) *Crowd {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byKey[key{strings.Join(channels, ","), kind}]
	if c == nil || !c.isOpen() {
		return nil
	}
	c.enter()
	return c
}

// enter counts one more reader. mu is held.
func (c *Crowd) enter() {
	c.readers++
	c.linger(false)
}

// Drain ends all crowds after their readers were given what was published before. Crowds made
// later end in the same way. Drain does not wait.
func (s *Crowds) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for _, c := range s.byKey {
		c.stop()
	}
}

// forget removes a crowd, so that the next reader gets a new one. mu is held.
func (s *Crowds) forget(c *Crowd) {
	if s.byKey[c.key] == c {
		delete(s.byKey, c.key)
	}
}

// followed returns the places where the follower of a new crowd begins.
func followed(channels []string) []hub.Place {
	places := make([]hub.Place, len(channels))
	for i, channel := range channels {
		places[i] = hub.Place{Channel: channel, Since: history.Now()}
	}
	return places
}
