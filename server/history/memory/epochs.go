package memory

import (
	"slices"
	"sync/atomic"
	"time"

	"pubsub/server/history"
)

// epochs are the log's own. A channel without any message yet has no epoch, so its readers
// get a cursor in the log's epoch. After the first post, such a cursor is the place before
// the first message.
//
// The log's epoch is renewed every half day, and the one before stays valid. So a cursor is
// good for half a day at least and a day at most. No channel is forgotten earlier, unless
// there are too many, see dormantChannels.highest.
type epochs struct {
	known   atomic.Pointer[[2]string] // the current epoch and the one before
	renewed time.Time                 // guarded by channelsMu
}

func (e *epochs) start(now time.Time) {
	e.known.Store(&[2]string{history.NewEpoch()})
	e.renewed = now
}

// renew makes a new epoch current if half a day has passed.
func (e *epochs) renew(now time.Time) {
	if now.Sub(e.renewed) >= dormantFor/2 {
		e.known.Store(&[2]string{history.NewEpoch(), e.current()})
		e.renewed = now
	}
}

func (e *epochs) current() string { return e.known.Load()[0] }

// has tells whether an epoch is one of the log's that is still valid.
func (e *epochs) has(epoch string) bool {
	return epoch != "" && slices.Contains(e.known.Load()[:], epoch)
}
