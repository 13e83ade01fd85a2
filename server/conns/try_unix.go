//go:build unix

package conns

import (
	"io"
	"sync"
	"syscall"
)

// try makes system calls that do not wait. It keeps what one needs, so that thousands of
// writes make no garbage.
type try struct {
	buffer           []byte
	n                int
	err              error
	reading, writing func(fd uintptr) bool
}

var tries = sync.Pool{New: func() any {
	t := new(try)
	t.reading = func(fd uintptr) bool { return t.call(syscall.Read, fd) }
	t.writing = func(fd uintptr) bool { return t.call(syscall.Write, fd) }
	return t
}}

// call makes one system call. What it returns means not to wait for another.
func (t *try) call(once func(int, []byte) (int, error), fd uintptr) (done bool) {
	for t.err = syscall.EINTR; t.err == syscall.EINTR; {
		t.n, t.err = once(int(fd), t.buffer)
	}
	return true
}

// tryWrite writes what is taken at once, which may be nothing.
func tryWrite(to syscall.RawConn, b []byte) (n int, err error) {
	t := tries.Get().(*try)
	defer tries.Put(t)
	t.buffer = b
	return t.result(to.Write(t.writing))
}

// tryRead reads what has arrived, which may be nothing. The error is io.EOF at the end.
func tryRead(from syscall.RawConn, b []byte) (n int, err error) {
	t := tries.Get().(*try)
	defer tries.Put(t)
	t.buffer = b
	err = from.Read(t.reading)
	if err == nil && t.n == 0 && t.err == nil {
		err = io.EOF
	}
	return t.result(err)
}

// result is what a call has done, where err is why there was none.
func (t *try) result(err error) (int, error) {
	t.buffer = nil // else it is kept from the garbage collector
	switch {
	case err != nil:
		return 0, err
	case t.err == syscall.EAGAIN:
		return 0, nil
	}
	return max(t.n, 0), t.err
}
