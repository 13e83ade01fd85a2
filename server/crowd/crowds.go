// Package crowd has those who read the same channels read together. All readers that are up
// to date are to be given the same bytes: so one follower reads what is new, it is encoded
// once, and one goroutine gives it to each of them. A reader that waits in a crowd needs no
// goroutine, no subscription and no wake-up of its own.
//
// A reader is in one of these states. What it has to do in each is told by [Crowd.Join], and
// by the methods of [Reader] that move it:
//
//	out     in no shard. It belongs to one goroutine: its own, or who took it out
//	in      in a shard, and has everything up to the shard's place
//	ahead   in a shard, and has read further: it is given the rest of pages
//
//	out → in, ahead   Join
//	ahead → in        a page that reaches its place
//	in, ahead → out   a page of a Once kind, or Give or Tick that says so; Lag; End;
//	                  Drop, or Do that says so
//
// Each of these moves is made with the lock of the shard held. So exactly one of those who
// would take a reader out does so, and it is given nothing more afterwards.
//
// Locks are taken in this order, and each may be left out: Crowd.mu, shard.mu. Crowds.mu is
// held alone.
package crowd

import (
	"context"
	"errors"
	"strings"
	"sync"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// Crowds has a crowd for all readers of the same channels and the same kind. Its methods
// are safe for concurrent use. Make it with [New].
type Crowds struct {
	hub      *hub.Hub
	panicked func(cause any, channels []string)

	mu        sync.Mutex // guards all below, and some fields of each crowd; under it no other lock is taken
	byKey     map[key]*Crowd
	lingering int // channels of crowds that linger
	draining  bool
}

// maxLingering is how many channels the crowds that linger have at most: each takes 8 KB, and
// anyone can go from one list of channels to the next as fast as the server opens them.
const maxLingering = 1024

// key is what the readers of a crowd have in common.
type key struct {
	names string // of the channels, with commas
	kind  *Kind
}

// New returns crowds that read from a hub. panicked is called with what has panicked in a
// deferred function, so that it finds the stack: what was served for the channels ends.
func New(h *hub.Hub, panicked func(cause any, channels []string)) *Crowds {
	return &Crowds{hub: h, panicked: panicked, byKey: make(map[key]*Crowd)}
}

var errNotOpened = errors.New("the follower of a crowd could not be opened")

// Enter returns the crowd for a reader, which has begun to follow: what is published from
// now on comes to who joins it. It waits until the follower is open, and only others who
// enter the same crowd wait for that, too. The errors are those of [hub.Hub.Follow]. Call
// Leave when the reader needs the crowd no more.
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

// get returns a crowd that may not be open yet. If made is true the caller has to open it.
func (s *Crowds) get(k key) (c *Crowd, made bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c = s.byKey[k]; c != nil {
		c.enter()
		return c, false
	}
	k.names = strings.Clone(k.names) // else it keeps the address of a request
	c = &Crowd{crowds: s, key: k, channels: strings.Split(k.names, ","), readers: 1, opened: make(chan struct{}), err: errNotOpened}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if s.draining {
		c.stop()
	}
	s.byKey[k] = c
	return c, true
}

// Find is Enter without waiting: it returns nil if there is no such crowd, or one that is
// still being opened.
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

// enter counts a reader more. mu is held.
func (c *Crowd) enter() {
	c.readers++
	c.linger(false)
}

// Drain gives the readers of all crowds what was published before, and ends them. Crowds
// that are made from now on end in the same way. It does not wait.
func (s *Crowds) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	for _, c := range s.byKey {
		c.stop()
	}
}

// forget has the next reader get another crowd. mu is held.
func (s *Crowds) forget(c *Crowd) {
	if s.byKey[c.key] == c {
		delete(s.byKey, c.key)
	}
}

// followed are the places of a crowd's follower, which reads for all.
func followed(channels []string) []hub.Place {
	places := make([]hub.Place, len(channels))
	for i, channel := range channels {
		places[i] = hub.Place{Channel: channel, Since: history.Now()}
	}
	return places
}
