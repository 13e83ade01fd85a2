package post

import (
	"context"
	"sync"
	"sync/atomic"

	"pubsub/server/web"
)

// Gate lets posts in until it is closed, and counts those in flight. Its zero value is
// open. It is safe for concurrent use.
type Gate struct {
	draining atomic.Bool // read without the lock, since every answer reads it

	mu       sync.Mutex
	inFlight int
	none     chan struct{} // made by Close; it closes this when no post is in flight
}

// enter lets a post in, or refuses it with [web.ErrDraining] if the gate is closed. After
// a post that was let in, the caller calls leave.
func (g *Gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.none != nil {
		return web.ErrDraining
	}
	g.inFlight++
	return nil
}

func (g *Gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	if g.none != nil && g.inFlight == 0 {
		close(g.none)
	}
}

// Announce tells that the gate will be closed, and lets posts in until then.
func (g *Gate) Announce() { g.draining.Store(true) }

// Close lets no further post in, and waits until those in flight have ended, or ctx has.
// Call it once.
func (g *Gate) Close(ctx context.Context) {
	g.Announce()
	g.mu.Lock()
	g.none = make(chan struct{})
	if g.inFlight == 0 {
		close(g.none)
	}
	g.mu.Unlock()
	select {
	case <-g.none:
	case <-ctx.Done():
	}
}

// Draining tells whether the gate is closed or will be, which means that the server
// drains.
func (g *Gate) Draining() bool { return g.draining.Load() }
