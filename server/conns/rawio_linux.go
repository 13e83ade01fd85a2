package conns

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// rawRead and rawWrite make one system call on a socket that does not block. Go's scheduler
// need not be told of the call: it is too short for another goroutine to use the processor
// meanwhile.
//
// This mostly saves the work of a runtime thread that watches such calls. In an idle process,
// the first call that the scheduler is told of makes the thread wake 50 times, every 20 µs or
// so. Messages to 1,000 streams, 20 a second, took a third more of the processor with it.
// That was on a virtual machine, where waking a thread is expensive.
//
// But that thread also polls the network while all processors are busy, and preempts a
// goroutine that runs for too long. So after a long burst of calls the scheduler is told of
// them.

func rawRead(fd uintptr, b []byte) (int, error) { return rawCall(syscall.SYS_READ, fd, b) }

func rawWrite(fd uintptr, b []byte) (int, error) { return rawCall(syscall.SYS_WRITE, fd, b) }

func rawCall(trap, fd uintptr, b []byte) (n int, err error) {
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

// burst is a series of calls without pauses.
type burst struct{ began, last atomic.Int64 } // nanoseconds since start

const (
	pause     = 500 * time.Microsecond // ends a burst
	longBurst = 10 * time.Millisecond  // a goroutine's time slice in Go's scheduler
)

var calling burst

// isLong adds a call to the burst, and tells whether the burst is long by now.
func (b *burst) isLong() bool {
	now := int64(time.Since(start))
	if now-b.last.Swap(now) > int64(pause) {
		b.began.Store(now)
	}
	return now-b.began.Load() > int64(longBurst)
}
