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
func (f *Follower) gatherFor(page *Page) time.Duration {
	if n := len(page.Messages); n == 0 || n >= f.limit {
		return 0
	}
	wait := f.gather - time.Since(page.Messages[0].Time)
	if wait > f.gather { // the clock was set back
		return 0
	}
	return wait
}

// rest waits, without room for a page.
func (f *Follower) rest(ctx context.Context, wait time.Duration) {
	if f.room != nil {
		f.room.Keep(0)
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}
