package hub

import (
	"context"
	"time"
)

// Gather is how old the first message of a page may become while [Follower.Next] waits
// for more messages of a flood.
const Gather = 5 * time.Millisecond

// gather waits until the first message of a page is as old as Gather. It returns false if
// there is no reason to wait, and else true: then the page is to be read again.
func gather(ctx context.Context, page *Page, limit int) bool {
	if n := len(page.Messages); n == 0 || n >= limit {
		return false
	}
	wait := Gather - time.Since(page.Messages[0].Time)
	if wait <= 0 || wait > Gather { // more than Gather: the clock was set back
		return false
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return true
}
