package hub

import (
	"context"
	"errors"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// Errors that end a wait.
var (
	// ErrNothing: there is nothing to read yet.
	ErrNothing = errors.New("there is nothing yet")
	// ErrTimeout: nothing came in time.
	ErrTimeout = bus.ErrTimeout
	// ErrClosed: nothing will come any more, as the bus is closed.
	ErrClosed = bus.ErrClosed
)

// Follower waits on channels for what comes after its places. Nothing that comes
// once it is open is missed. One goroutine at a time may use it. Close it.
type Follower struct {
	hub    *Hub
	places []Place
	limit  int
	rings  []*bus.Subscription // of each place, in their order
	one    [1]*bus.Subscription
}

// Follow opens a follower that reads at most limit messages at a time. The places
// are the follower's own from now on: it moves them.
func (h *Hub) Follow(places []Place, limit int) (*Follower, error) {
	f := &Follower{hub: h, places: places, limit: limit}
	f.rings = f.one[:0]
	for i := range places {
		ring, err := h.bus.Subscribe(places[i].Channel)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.rings = append(f.rings, ring)
	}
	for _, ring := range f.rings[1:] {
		ring.RingAt(f.rings[0])
	}
	return f, nil
}

// Close gives back what Follow took.
func (f *Follower) Close() {
	for _, ring := range f.rings {
		ring.Release()
	}
	f.rings = nil
}

// SetTimeout makes Read and Next say ErrTimeout so long from now if there is nothing;
// 0 is never, as it is at first.
func (f *Follower) SetTimeout(timeout time.Duration) { f.rings[0].SetTimeout(timeout) }

// Ready receives when Read may find something, or may say something else than
// ErrNothing. Some tokens come for nothing. Read first: there is none for what is
// there already.
func (f *Follower) Ready() <-chan struct{} { return f.rings[0].Ready() }

// Read returns what there is since the follower's places, and moves them behind it.
// A gap is told at once. It does not wait: where there is nothing, the page is empty
// but for its cursors, and the error ErrNothing, ErrTimeout or ErrClosed. After
// another error, which is the log's, there is no page.
func (f *Follower) Read(ctx context.Context) (*Page, error) {
	page, err := f.look(ctx)
	if err == nil {
		f.move(page)
	}
	return page, err
}

// look reads, and moves only if there is nothing: from then on what comes is new, also
// for a reader that asked for what comes from now on. Nothing falls between its steps:
// what rings after the first is there for the wait that follows.
func (f *Follower) look(ctx context.Context) (*Page, error) {
	f.rings[0].Clear() // what has rung so far is in the log
	page, err := f.hub.Read(ctx, f.places, f.limit)
	if err != nil || page.tells() {
		return page, err
	}
	f.move(page)
	if err := f.rings[0].Err(); err != nil {
		return page, err
	}
	return page, ErrNothing
}

func (f *Follower) move(page *Page) {
	for i := range f.places {
		f.places[i].Since = history.After(page.Cursors[i])
	}
}

// Next waits until Read has something to return. When ctx ends first, its cause is
// the error.
//
// In a flood, and where there is a fresh message without a wait, which is to ask
// slower than messages come, it returns more at a time: it waits until the first
// message is as old as [Gather]. On a calm channel who waits for a message has it at
// once.
//
// Thousands wait in it at a time, so what it has on its stack counts.
func (f *Follower) Next(ctx context.Context) (*Page, error) {
	page, err := f.next(ctx, false)
	if err != ErrNothing {
		return page, err
	}
	f.hub.waiting.Add(1)
	for err == ErrNothing {
		select {
		case <-f.Ready():
			page, err = f.next(ctx, true)
		case <-ctx.Done():
			page, err = f.last(ctx)
		}
	}
	f.hub.waiting.Add(-1)
	return page, err
}

// next is Read for somebody who has waited, or has not yet.
func (f *Follower) next(ctx context.Context, waited bool) (*Page, error) {
	page, err := f.look(ctx)
	if err == nil && (page.flood || !waited) && gather(ctx, page, f.limit) {
		page, err = f.look(ctx)
	}
	if err == nil {
		page.Waited = waited
		f.move(page)
	}
	return page, err
}

// last is Read once ctx has ended: something may have come at the same time.
func (f *Follower) last(ctx context.Context) (*Page, error) {
	page, err := f.next(context.WithoutCancel(ctx), true)
	if err == ErrNothing {
		err = context.Cause(ctx)
	}
	return page, err
}

// Gather is how long an answer may wait for more of a flood, so that it carries
// several messages; see [Follower.Next].
const Gather = 5 * time.Millisecond

// gather waits until it pays to read the page anew, if it does.
func gather(ctx context.Context, page *Page, limit int) bool {
	if n := len(page.Messages); n == 0 || n >= limit {
		return false
	}
	wait := Gather - time.Since(page.Messages[0].Time)
	if wait <= 0 || wait > Gather { // a clock that was set back makes no message younger
		return false
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return true
}
