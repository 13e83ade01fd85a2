package hub

import (
	"context"
	"time"
)

// Gather is how old the first message of a page may become while [Follower.Next] waits
// for more messages of a flood, unless SetGather says otherwise.
const Gather = 5 * time.Millisecond

// gatherFor is how long to wait until the first message of a page is old enough, 0 if there
// is no reason to.
func (r *reader) gatherFor(page *Page) time.Duration {
	if n := len(page.Messages); n == 0 || n >= r.limit {
		return 0
	}
	wait := r.gather - time.Since(page.Messages[0].Time)
	if wait > r.gather { // the clock was set back
		return 0
	}
	return wait
}

// rest waits, without room for a page.
func (r *reader) rest(ctx context.Context, wait time.Duration) {
	if r.room != nil {
		r.room.Keep(0)
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// Gathered returns what the log has now since some places, as the first look of
// [Follower.Next] does: what has just come may have more behind it. It waits for that at
// most [Gather], or until ctx ends. A page without news has only cursors.
func (h *Hub) Gathered(ctx context.Context, places []Place, limit int, room Room) (*Page, error) {
	r := reader{hub: h, places: places, limit: limit, gather: Gather, room: room}
	page, err := r.peek(ctx)
	if err == nil {
		page, err = r.gathered(ctx, page, r.peek)
	}
	return page, err
}

// gathered returns a page, or if that is too young what look returns when it is old enough.
// The caller must not keep the page: who waits holds none.
func (r *reader) gathered(ctx context.Context, page *Page, look func(context.Context) (*Page, error)) (*Page, error) {
	wait := r.gatherFor(page)
	if wait <= 0 {
		return page, nil
	}
	r.rest(ctx, wait)
	return look(ctx)
}
