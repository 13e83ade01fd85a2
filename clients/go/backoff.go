package pubsub

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait = 200 * time.Millisecond
	lastWait  = 30 * time.Second
	maxAfter  = 5 * time.Minute // what a server says in Retry-After is believed up to this
)

// backoff says how long to wait after a failure: any time up to a limit that doubles, so
// that clients which failed together do not come back together. What the server asks for
// comes on top.
type backoff struct{ failures int }

func (b *backoff) wait(err error) time.Duration {
	limit := lastWait
	if doublings := b.failures; doublings < 8 {
		limit = min(firstWait<<doublings, lastWait)
	}
	b.failures++
	return min(retryAfter(err), maxAfter) + rand.N(limit)
}

// reset is called when something went well.
func (b *backoff) reset() { b.failures = 0 }

// retryAfter is what the server asks for; 0 if it asks for nothing.
func retryAfter(err error) time.Duration {
	if refused, ok := errors.AsType[*Error](err); ok && refused.RetryAfter > 0 {
		return refused.RetryAfter
	}
	if end, ok := errors.AsType[*cut](err); ok {
		return end.after
	}
	return 0
}

// pause waits. It returns the cause if ctx ends meanwhile.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
