package hub

import (
	"context"
	"time"
)

// Gather is how old the first message of a page may become while [Follower.Next] waits for
// more, unless SetGather changes it.
const Gather = 5 * time.Millisecond

// gatherFor returns how long to wait until the first message of a page is old enough; at most
// 0 if there is nothing to wait for.
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

// rest waits, and gives back its budget meanwhile.
func (r *reader) rest(ctx context.Context, wait time.Duration) {
	if r.budget != nil {
		r.budget.Keep(0)
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

// Gathered returns the messages after the places. If they are very new it waits for more
// first, as [Follower.Next] does, at most for [Gather] or until ctx ends. A page without news
// has only cursors.
func (h *Hub) Gathered(ctx context.Context, places []Place, limit int, budget Budget) (*Page, error) {
	r := reader{hub: h, places: places, limit: limit, gather: Gather, budget: budget}
	page, err := r.peek(ctx)
	if err == nil {
		page, err = r.gathered(ctx, page, r.peek)
	}
	return page, err
}

// gathered returns the page if it is old enough. Otherwise it waits, and returns the result
// of look. The caller must not keep the page, so that a waiting reader holds none.
func (r *reader) gathered(ctx context.Context, page *Page, look func(context.Context) (*Page, error)) (*Page, error) {
	wait := r.gatherFor(page)
	if wait <= 0 {
		return page, nil
	}
	r.rest(ctx, wait)
	return look(ctx)
}
