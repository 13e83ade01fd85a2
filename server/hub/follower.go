package hub

import (
	"context"
	"errors"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// Errors of a follower that has nothing to return.
var (
	// ErrNothing: there is no news. Only Read returns it.
	ErrNothing = errors.New("there is nothing yet")
	// ErrTimeout: there was no news before the timeout.
	ErrTimeout = bus.ErrTimeout
	// ErrClosed: the bus is closed, so no message will be published any more.
	ErrClosed = bus.ErrClosed
)

// Follower reads channels and waits for their next messages. It misses nothing that is
// published after [Hub.Follow] returned. One goroutine at a time may use it. Close it.
type Follower struct {
	reader
	rings  []*bus.Subscription  // one for each place; a ring of any rings at the first
	one    [1]*bus.Subscription // backs rings of a single place, to save an allocation
	hidden bool                 // not counted as waiting
}

// reader reads the log for a follower.
type reader struct {
	hub    *Hub
	places []Place
	limit  int
	gather time.Duration // see Follower.Next
	budget Budget        // nil if a page may always have PageBytes
}

// Budget counts the bytes of a reader's pages. They are counted before they are read, so that
// many readers cannot read more than there is memory for.
type Budget interface {
	// Take counts bytes for the next page, and returns them. Without room for them, it
	// returns how many the page may have instead.
	Take(bytes int) (granted int)
	// Keep counts the bytes that the page has, instead of those of Take. ok is false if there
	// is no room for them.
	Keep(bytes int) (ok bool)
}

var errNoPlace = errors.New("a follower needs a place")

// Follow opens a follower that returns at most limit messages at a time. There must be at
// least one place. The follower keeps the slice, and moves the places forward. The error is
// ErrClosed, or that of a broken bus.
func (h *Hub) Follow(places []Place, limit int) (*Follower, error) {
	if len(places) == 0 {
		return nil, errNoPlace
	}
	f := &Follower{reader: reader{hub: h, places: places, limit: limit, gather: Gather}}
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

// Close ends the follower's subscriptions. Do not use the follower afterwards.
func (f *Follower) Close() {
	for _, ring := range f.rings {
		ring.Release()
	}
	f.rings = nil
}

// SetTimeout makes Read and Next return ErrTimeout when there is no news within the timeout,
// counted from now. 0 is no timeout, which is the default.
func (f *Follower) SetTimeout(timeout time.Duration) { f.rings[0].SetTimeout(timeout) }

// SetBudget sets the budget that counts the pages of Read and Next. Nothing is counted while the
// follower waits.
func (f *Follower) SetBudget(budget Budget) { f.budget = budget }

// Ready returns a channel that receives when Read may have news. It may also receive when
// there is none. It does not receive for messages published before the follower was opened,
// so call Read before you wait.
func (f *Follower) Ready() <-chan struct{} { return f.rings[0].Ready() }

// Read returns the messages and the gap after the follower's places, and moves the places
// after them. It does not wait. Without news it returns a page that has only cursors, and the
// error ErrNothing, ErrTimeout or ErrClosed. Any other error is the log's, and the page is
// nil.
func (f *Follower) Read(ctx context.Context) (*Page, error) {
	page, err := f.look(ctx)
	if err == nil {
		f.move(page)
	}
	return page, err
}

// look reads the log. It moves the places only if there is no news: a place that was the end
// of the log gets a cursor then, so that nothing after it is missed.
//
// No message is missed between the steps: a ring after Clear stays, and ends the next wait.
func (f *Follower) look(ctx context.Context) (*Page, error) {
	f.rings[0].Clear() // the read below finds the messages of all rings so far
	page, err := f.peek(ctx)
	if err != nil || page.HasNews() {
		return page, err
	}
	f.move(page)
	if err := f.rings[0].Err(); err != nil {
		return page, err
	}
	return page, ErrNothing
}

// peek reads a page that fits in the budget.
func (r *reader) peek(ctx context.Context) (*Page, error) {
	if r.budget == nil {
		return r.hub.Peek(ctx, r.places, r.limit, PageBytes)
	}
	bytes := r.budget.Take(PageBytes)
	page, err := r.hub.Peek(ctx, r.places, r.limit, bytes)
	if err != nil {
		r.budget.Keep(0)
		return nil, err
	}
	page.Cut(bytes)
	r.budget.Keep(page.Size())
	return page, nil
}

// Cut is [Page.Cut] for the page that the follower returned last. The next page has what was
// dropped.
func (f *Follower) Cut(page *Page, bytes int) {
	page.Cut(bytes)
	f.move(page)
}

func (f *Follower) move(page *Page) {
	for i := range f.places {
		f.places[i].Since = history.After(page.Cursors[i])
	}
}

// Next waits until Read has news, and returns it. The errors are those of Read, except
// ErrNothing. When ctx ends first, the error is its cause.
//
// A message is returned as soon as it is published, with two exceptions: in a flood, and when
// there is news without a wait, as then messages come faster than the client polls. In both,
// Next waits until the first message is as old as [Gather], so that an answer has several.
//
// Thousands of requests may wait here, and the stack of each takes memory.
func (f *Follower) Next(ctx context.Context) (*Page, error) {
	page, err := f.next(ctx, false)
	if err != ErrNothing {
		return page, err
	}
	f.count(1)
	for err == ErrNothing {
		select {
		case <-f.Ready():
			page, err = f.next(ctx, true)
		case <-ctx.Done():
			page, err = f.nextAtEnd(ctx)
		}
	}
	f.count(-1)
	return page, err
}

// SetGather sets how old the first message of a page may become in a flood while Next waits
// for more. The default is Gather.
func (f *Follower) SetGather(age time.Duration) { f.gather = age }

// Hide leaves the follower out of [Hub.Waiting]. Its clients are counted by [Hub.Waits].
func (f *Follower) Hide() { f.hidden = true }

func (f *Follower) count(n int64) {
	if !f.hidden {
		f.hub.waiting.Add(n)
	}
}

// next is Read, with the gathering of Next. waited tells whether the caller has waited for a
// ring.
func (f *Follower) next(ctx context.Context, waited bool) (*Page, error) {
	page, err := f.look(ctx)
	if err == nil && (page.flood || !waited) {
		page, err = f.gathered(ctx, page, f.look)
	}
	if err == nil {
		page.Waited = waited
		f.move(page)
	}
	return page, err
}

// nextAtEnd is next after ctx has ended. A message may have been published at the same time.
func (f *Follower) nextAtEnd(ctx context.Context) (*Page, error) {
	page, err := f.next(ctx, true)
	if err == ErrNothing {
		err = context.Cause(ctx)
	}
	return page, err
}
