package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Churned is what came of polls that were hung up.
type Churned struct {
	Hangups  int
	Answered int // polls that had an answer already, though nothing was published
	Late     Histogram
}

// Churn opens a poll on a connection of its own whenever pacer says so, and
// hangs up the oldest when window are open. In the end it hangs up the rest.
func Churn(ctx context.Context, config *Config, hangups, window int, pacer Pacer) (out Churned, err error) {
	open := make([]int, 0, window) // a ring
	poll := config.Dialect.AppendPoll(nil, config.Host, config.Channel, nil)
	hangUp := func(fd int) {
		if fd < 0 {
			return
		}
		var b [1]byte
		n, err := unix.Read(fd, b[:])
		if n > 0 || !errors.Is(err, unix.EAGAIN) {
			out.Answered++
		}
		unix.Close(fd)
		out.Hangups++
	}
	defer func() {
		for _, fd := range open {
			hangUp(fd)
		}
	}()
	late := Pace(ctx, pacer, hangups, config.Base, time.Now(), func(i int, _ time.Duration) {
		if err != nil {
			return
		}
		if len(open) == window {
			hangUp(open[i%window])
			open[i%window] = -1
		}
		fd, failed := dial(config.Addr, i)
		if failed == nil {
			_, failed = unix.Write(fd, poll)
		}
		if failed != nil {
			err = fmt.Errorf("after %d polls: %w", i, failed)
			return
		}
		if len(open) < window {
			open = append(open, fd)
		} else {
			open[i%window] = fd
		}
	})
	out.Late = late
	return out, errors.Join(err, ctx.Err())
}
