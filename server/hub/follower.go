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
	// ErrNothing: nothing has been published yet. Only Read returns it.
	ErrNothing = errors.New("there is nothing yet")
	// ErrTimeout: nothing was published before the timeout.
	ErrTimeout = bus.ErrTimeout
	// ErrClosed: the bus is closed, so no message will be published any more.
	ErrClosed = bus.ErrClosed
)

// Follower reads channels and waits for their next messages. It misses nothing that is
// published after [Hub.Follow] returned. Only one goroutine at a time may use it. Close
// it.
type Follower struct {
	reader
	rings  []*bus.Subscription  // one for each place; all ring at the first
	one    [1]*bus.Subscription // for rings of one place, which saves an allocation
	hidden bool                 // it is not counted as waiting
}

// reader is what reads the log for a follower.
type reader struct {
	hub    *Hub
	places []Place
	limit  int
	gather time.Duration // see Next
	room   Room          // nil: as much as a page may have
}

// Room is where the bytes of a reader's pages are counted: before they are read, so that
// many readers cannot have more of them read than there is memory for.
type Room interface {
	// Take counts so many bytes, or says how many less the next page may have.
	Take(bytes int) (granted int)
	// Keep counts as many as the page has, once it is read.
	Keep(bytes int) (ok bool)
}

var errNoPlace = errors.New("a follower needs a place")

// Follow opens a follower that returns at most limit messages at a time. There must be at
// least one place. The slice belongs to the follower from now on: it moves the places
// forward. The error is ErrClosed, or that of a bus that is broken.
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

// Close ends the subscriptions of the follower. Do not use it afterwards.
func (f *Follower) Close() {
	for _, ring := range f.rings {
		ring.Release()
	}
	f.rings = nil
}

// SetTimeout makes Read and Next return ErrTimeout if nothing is published until then,
// counted from now. 0 is no timeout, as a new follower has none.
func (f *Follower) SetTimeout(timeout time.Duration) { f.rings[0].SetTimeout(timeout) }

// SetRoom says where the bytes of what Read and Next return are counted. While the follower
// waits it has none.
func (f *Follower) SetRoom(room Room) { f.room = room }

// Ready returns a channel that receives when Read may return something other than
// ErrNothing. It may also receive when there is nothing. It does not receive for messages
// that were published before the follower was opened: call Read before you wait.
func (f *Follower) Ready() <-chan struct{} { return f.rings[0].Ready() }

// Read returns the messages and the gap since the follower's places, and moves the places
// after them. It does not wait. If there is nothing, it returns a page that has only
// cursors, and the error ErrNothing, ErrTimeout or ErrClosed. Any other error is the
// log's: then the page is nil.
func (f *Follower) Read(ctx context.Context) (*Page, error) {
	page, err := f.look(ctx)
	if err == nil {
		f.move(page)
	}
	return page, err
}

// look reads the log. It moves the places only if there is nothing: a reader that asked
// for what is published from now on then has a cursor, and is given all that comes after
// it.
//
// No message is missed between its steps: a ring that comes after Clear stays, and ends
// the wait that follows.
func (f *Follower) look(ctx context.Context) (*Page, error) {
	f.rings[0].Clear() // the log has the messages of all rings so far
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

// peek reads a page for which there is room.
func (r *reader) peek(ctx context.Context) (*Page, error) {
	if r.room == nil {
		return r.hub.Peek(ctx, r.places, r.limit, PageBytes)
	}
	bytes := r.room.Take(PageBytes)
	page, err := r.hub.Peek(ctx, r.places, r.limit, bytes)
	if err != nil {
		r.room.Keep(0)
		return nil, err
	}
	page.Cut(bytes)
	r.room.Keep(page.Size())
	return page, nil
}

// Cut cuts a page that the follower has returned last, as [Page.Cut] does. What is cut off
// comes with the next page.
func (f *Follower) Cut(page *Page, bytes int) {
	page.Cut(bytes)
	f.move(page)
}

func (f *Follower) move(page *Page) {
	for i := range f.places {
		f.places[i].Since = history.After(page.Cursors[i])
	}
}

// Next waits until Read has something to return, and returns that. Its errors are those
// of Read, except ErrNothing. When ctx ends first, the error is its cause.
//
// A message is returned as soon as it is published, with two exceptions: in a flood, and
// when the message is there without a wait, which means that messages come faster than
// the client polls. Then Next waits until the first message is as old as [Gather], so
// that an answer carries several.
//
// Thousands of requests wait here at the same time, and the stack of each takes memory.
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
// for more. It is Gather at first.
func (f *Follower) SetGather(age time.Duration) { f.gather = age }

// Hide leaves the follower out of [Hub.Waiting]: it is not one client that waits. The
// clients that it reads for are counted with [Hub.Waits].
func (f *Follower) Hide() { f.hidden = true }

func (f *Follower) count(n int64) {
	if !f.hidden {
		f.hub.waiting.Add(n)
	}
}

// next is Read, with the gathering that Next describes. waited tells whether the caller
// has waited for a ring.
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

// nextAtEnd is next when ctx has ended: a message may have been published at the same
// time.
func (f *Follower) nextAtEnd(ctx context.Context) (*Page, error) {
	page, err := f.next(ctx, true)
	if err == ErrNothing {
		err = context.Cause(ctx)
	}
	return page, err
}
