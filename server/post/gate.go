package post

import (
	"context"
	"sync"
	"sync/atomic"

	"pubsub/server/web"
)

// Gate counts the posts in flight, until it is closed.
type Gate struct {
	closed atomic.Bool // each answer looks, so without the lock

	mu       sync.Mutex
	inFlight int
	none     chan struct{} // made by Close, closed when none is in flight
}

// enter lets a post in, or refuses it while the server drains. The caller
// calls leave when the post is answered for.
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

// Close lets no further post in and waits for those in flight, at most until
// ctx ends.
func (g *Gate) Close(ctx context.Context) {
	g.mu.Lock()
	g.closed.Store(true)
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

// Closed tells whether posts are refused: the server drains.
func (g *Gate) Closed() bool { return g.closed.Load() }
