package post

import (
	"context"
	"sync"
	"sync/atomic"

	"pubsub/server/web"
)

// Gate admits posts until it is closed, and counts those in flight. The zero value is open.
// Its methods are safe for concurrent use.
type Gate struct {
	draining atomic.Bool // read without the lock, because every answer reads it

	mu       sync.Mutex // guards the fields below; no other lock is taken under it
	inFlight int
	none     chan struct{} // made by Close; closed when no post is in flight
}

// enter admits a post, or returns [web.ErrDraining] if the gate is closed. Call leave after
// an admitted post.
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

// Announce makes Draining return true. Posts are admitted until Close.
func (g *Gate) Announce() { g.draining.Store(true) }

// Close admits no further posts, and waits until those in flight or ctx have ended. Call it
// once.
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

// Draining tells whether the gate is closed or soon will be, as the server drains.
func (g *Gate) Draining() bool { return g.draining.Load() }
