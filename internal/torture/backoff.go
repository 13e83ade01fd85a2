package torture

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait = 50 * time.Millisecond
	lastWait  = 2 * time.Second
	maxAfter  = 10 * time.Second // what a server says in Retry-After is believed up to this
)

// backoff says how long to wait after a request that failed. It is for one goroutine.
type backoff struct {
	rand *rand.Rand
	next time.Duration
}

// wait is what the server asks for, or twice as long as the last time, with some chance
// in it.
func (b *backoff) wait(err error) time.Duration {
	b.next = min(max(2*b.next, firstWait), lastWait)
	wait := b.next
	if refused, ok := errors.AsType[*refusal](err); ok && refused.after > 0 {
		wait = min(refused.after, maxAfter)
	}
	return wait/2 + time.Duration(b.rand.Int64N(int64(wait)))
}

// reset is called when a request went well.
func (b *backoff) reset() { b.next = 0 }
