//go:build unix

package cli

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// untilClosed is a context that ends, with EPIPE as its cause, when nobody reads w any
// more: a tail that is piped into head would else wait for the next message to find out.
func untilClosed(ctx context.Context, w io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if file, ok := w.(*os.File); ok {
		if fd := int(file.Fd()); isPipe(file) {
			go func() {
				for ctx.Err() == nil && !isClosed(fd) {
				}
				cancel(unix.EPIPE)
			}()
		}
	}
	return ctx, func() { cancel(nil) }
}

func isPipe(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}

// isClosed waits for a while for the other end of a pipe to be closed.
func isClosed(fd int) bool {
	const while = int(500 * time.Millisecond / time.Millisecond)
	fds := []unix.PollFd{{Fd: int32(fd)}} // an error is always told
	n, err := unix.Poll(fds, while)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0
}
