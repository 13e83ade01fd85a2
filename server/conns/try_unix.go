//go:build unix

package conns

import (
	"io"
	"syscall"
)

// Try writes to connections and reads from them without waiting. It keeps what a system
// call needs, so that thousands of writes make no garbage. One goroutine at a time may
// use it. Make it with [NewTry].
type Try struct {
	buffer           []byte
	n                int
	err              error
	reading, writing func(fd uintptr) bool
}

// NewTry returns a Try.
func NewTry() *Try {
	t := new(Try)
	t.reading = func(fd uintptr) bool { return t.call(syscall.Read, fd) }
	t.writing = func(fd uintptr) bool { return t.call(syscall.Write, fd) }
	return t
}

// call makes one system call. What it returns means not to wait for another.
func (t *Try) call(once func(int, []byte) (int, error), fd uintptr) (done bool) {
	for t.err = syscall.EINTR; t.err == syscall.EINTR; {
		t.n, t.err = once(int(fd), t.buffer)
	}
	return true
}

// Write writes as much as the connection takes at once, which may be nothing. An error
// means that the connection is of no use any more.
func (t *Try) Write(c *Taken, b []byte) (n int, err error) {
	t.buffer = b
	err = c.raw.Write(t.writing)
	return t.result(err)
}

// Read reads what has arrived, which may be nothing. The error is io.EOF at the end.
func (t *Try) Read(c *Taken, b []byte) (n int, err error) {
	t.buffer = b
	err = c.raw.Read(t.reading)
	if err == nil && t.n == 0 && t.err == nil {
		err = io.EOF
	}
	return t.result(err)
}

// result is what a call has done, where err is why there was none.
func (t *Try) result(err error) (int, error) {
	t.buffer = nil // else it is kept from the garbage collector
	switch {
	case err != nil:
		return 0, err
	case t.err == syscall.EAGAIN:
		return 0, nil
	}
	return max(t.n, 0), t.err
}
