package hub

import (
	"context"
	"time"
)

// Gather is how old the first message of a page may become while [Follower.Next] waits
// for more messages of a flood, unless SetGather says otherwise.
const Gather = 5 * time.Millisecond

// gatherFor waits until the first message of a page is old enough. It returns false if
// there is no reason to wait, and else true: then the page is to be read again.
func (f *Follower) gatherFor(ctx context.Context, page *Page) bool {
	if n := len(page.Messages); n == 0 || n >= f.limit {
		return false
	}
	wait := f.gather - time.Since(page.Messages[0].Time)
	if wait <= 0 || wait > f.gather { // more than that: the clock was set back
		return false
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return true
}
