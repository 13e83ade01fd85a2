package load

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Pacer says when each message is meant to be published, counted from the
// start. It knows nothing of clocks or of how publishing goes, so a slow server
// cannot slow it down.
type Pacer interface {
	At(message int) time.Duration
}

// Steady publishes this many messages a second at equal distances.
type Steady float64

// At implements [Pacer].
func (rate Steady) At(message int) time.Duration {
	return time.Duration(float64(message) * float64(time.Second) / float64(rate))
}

// Pace calls publish for the messages 0 to total-1, each when pacer means it to
// be, or at once when that is past. intended is the time since base. It returns
// how late the calls were. publish must not block.
func Pace(ctx context.Context, pacer Pacer, total int, base, start time.Time, publish func(message int, intended time.Duration)) (late Histogram) {
	for i := range total {
		at := start.Add(pacer.At(i))
		if wait := time.Until(at); wait > 0 {
			nap(wait)
		}
		if ctx.Err() != nil {
			break
		}
		late.Add(time.Since(at))
		publish(i, at.Sub(base))
	}
	return late
}

// nap sleeps to some 60 µs: an idle Go program's own timers are a millisecond
// late, since they end with its wait for the network.
func nap(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}
