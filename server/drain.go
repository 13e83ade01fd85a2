package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// lingerFor is how long nothing must have been handed over before a drain
// believes that everybody has everything: a client's way back and forth.
const lingerFor = 250 * time.Millisecond

// maxLinger is how long a drain lets clients take more at most, whatever its
// timeout: one that asks again and again must not hold it up.
const maxLinger = 10 * time.Second

// drain ends what is under way so that nobody loses anything. New posts are
// refused, and those in flight finish. Then every pending poll, and each that
// still comes, is answered at once with all that was acknowledged, until nobody
// has anything left to get, or half the drain timeout is over. Then the
// listener closes, and what has not ended by the drain timeout is cut off.
func (s *Server) drain(web *http.Server, endPolls context.CancelCauseFunc, newcomers *newcomers) {
	s.log.Info("draining", "polling", s.hub.Waiting())
	limit, cancel := s.drainLimit(1)
	defer cancel()
	s.posts.refuse(limit)
	endPolls(errDraining)
	s.linger()
	// Shutdown waits five seconds for connections that never asked anything,
	// which browsers keep in reserve.
	hurry := time.AfterFunc(newcomersGrace, newcomers.close)
	defer hurry.Stop()
	if err := web.Shutdown(limit); err != nil {
		s.log.Warn("requests were cut off that had not ended in the drain timeout", "error", err)
		_ = web.Close() // everything has ended, well or not
	}
}

func (s *Server) linger() {
	limit, cancel := s.drainLimit(2)
	defer cancel()
	limit, cancelLinger := context.WithTimeout(limit, maxLinger)
	defer cancelLinger()
	for before := int64(-1); before != s.metrics.deliveries.Load(); {
		before = s.metrics.deliveries.Load()
		select {
		case <-time.After(lingerFor):
		case <-limit.Done():
			return
		}
	}
}

// closing tells a client that is answered in a drain to ask again on another
// connection, which the next server takes. A plain /sub that is given a message
// is not told: its place is remembered with its connection.
func (s *Server) closing(h http.Header) {
	if s.posts.refused() {
		h["Connection"] = closed
	}
}

var closed = []string{"close"}

// drainLimit ends after the drain timeout divided by n.
func (s *Server) drainLimit(n int) (context.Context, context.CancelFunc) {
	if s.config.DrainTimeout == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), s.config.DrainTimeout/time.Duration(n))
}

// posts counts the posts in flight, until they are refused.
type posts struct {
	mu       sync.Mutex
	inFlight int
	none     chan struct{} // made by refuse, closed when none is in flight
}

// enter lets a post in, or refuses it while the server drains. The caller
// calls leave when the post is answered for.
func (p *posts) enter() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.none != nil {
		return errDraining
	}
	p.inFlight++
	return nil
}

func (p *posts) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if p.none != nil && p.inFlight == 0 {
		close(p.none)
	}
}

// refuse lets no further post in and waits for those in flight, at most until
// ctx ends.
func (p *posts) refuse(ctx context.Context) {
	p.mu.Lock()
	p.none = make(chan struct{})
	if p.inFlight == 0 {
		close(p.none)
	}
	p.mu.Unlock()
	select {
	case <-p.none:
	case <-ctx.Done():
	}
}

// refused tells whether the server drains.
func (p *posts) refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.none != nil
}

// newcomersGrace is how long a new connection has for its first byte while the
// server drains.
const newcomersGrace = 500 * time.Millisecond

// newcomers are the connections that have sent nothing yet. One that has sent
// something takes the lock no more: requests are many.
type newcomers struct {
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// track is for http.Server.ConnState.
func (n *newcomers) track(c net.Conn, state http.ConnState) {
	if c := c.(*conn); c.known.Load() || state == http.StateIdle {
		return
	} else if state != http.StateNew {
		c.known.Store(true)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(n.conns, c)
	case n.closed:
		c.Close()
	default:
		if n.conns == nil {
			n.conns = make(map[net.Conn]struct{})
		}
		n.conns[c] = struct{}{}
	}
}

// close hangs up on the newcomers, and on those who still come.
func (n *newcomers) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for c := range n.conns {
		c.Close()
	}
}
