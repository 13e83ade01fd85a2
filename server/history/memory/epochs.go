package memory

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// epochs are the log's own. A channel that nobody has posted to has no epoch yet, so its
// readers get a cursor in the log's. When somebody posts, such a cursor means: before the
// channel's first message.
//
// The log's epoch is renewed every half day, and the one before is still known. So a
// cursor is good for at least half a day and at most a day. No channel is forgotten as
// early as that, unless there are too many (see dormantChannels.highest).
type epochs struct {
	known   atomic.Pointer[[2]string] // the current one and the one before
	renewed time.Time                 // guarded by channelsMu
}

// newEpoch returns a name that no epoch had before: 12 of a–z 2–7, 60 random bits.
func newEpoch() string { return strings.ToLower(rand.Text()[:12]) }

func (e *epochs) start(now time.Time) {
	e.known.Store(&[2]string{newEpoch()})
	e.renewed = now
}

// renew makes a new epoch the current one if half a day has passed.
func (e *epochs) renew(now time.Time) {
	if now.Sub(e.renewed) >= dormantFor/2 {
		e.known.Store(&[2]string{newEpoch(), e.current()})
		e.renewed = now
	}
}

func (e *epochs) current() string { return e.known.Load()[0] }

// has tells whether an epoch is one of the log's that is still good.
func (e *epochs) has(epoch string) bool {
	return epoch != "" && slices.Contains(e.known.Load()[:], epoch)
}
