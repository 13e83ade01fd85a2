package conns

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// readOnce and writeOnce make a system call on a socket that does not block. It cannot
// wait, so Go's scheduler need not be told of it: nobody else could use the processor
// meanwhile.
//
// Most of what that saves is a thread of the runtime, which looks after those that wait: in
// a process that was idle, the first call that the scheduler is told of makes it wake 50
// times, every 20 µs or so. Messages to 1,000 streams, 20 a second, took a third more of
// the processor with it, on a virtual machine, where it costs much to wake a thread.
//
// But that thread also looks for what has come on other connections while all processors
// are busy, and ends the turn of a goroutine that goes on and on. So after a long burst of
// calls the scheduler is told of them.

func readOnce(fd uintptr, b []byte) (int, error) { return once(syscall.SYS_READ, fd, b) }

func writeOnce(fd uintptr, b []byte) (int, error) { return once(syscall.SYS_WRITE, fd, b) }

func once(trap, fd uintptr, b []byte) (n int, err error) {
	for err = syscall.EINTR; err == syscall.EINTR; {
		if calling.isLong() {
			n, err = result(syscall.Syscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))))
		} else {
			n, err = result(syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))))
		}
	}
	return n, err
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// burst is calls with no pauses between them.
type burst struct{ began, last atomic.Int64 } // nanoseconds since start

const (
	pause     = 500 * time.Microsecond
	longBurst = 10 * time.Millisecond // a goroutine's turn in Go's scheduler
)

var calling burst

// isLong tells whether the burst that goes on with another call now is long.
func (b *burst) isLong() bool {
	now := int64(time.Since(start))
	if now-b.last.Swap(now) > int64(pause) {
		b.began.Store(now)
	}
	return now-b.began.Load() > int64(longBurst)
}
