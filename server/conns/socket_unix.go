//go:build unix

package conns

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// socket is a [net.Conn] that reads and writes by rawRead and rawWrite.
type socket struct {
	net.Conn
	raw     syscall.RawConn
	network string // tcp or unix, for errors
}

// socketOf returns the socket of a connection, nil for a connection in memory.
func socketOf(c net.Conn) *socket {
	has, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := has.SyscallConn()
	if err != nil {
		return nil
	}
	network := "tcp"
	if _, is := c.(*net.UnixConn); is {
		network = "unix"
	}
	return &socket{c, raw, network}
}

// call holds the arguments, results and closures of a system call. It is pooled, so that
// calls make no garbage.
type call struct {
	buffer            []byte
	n                 int
	err               error
	tryRead, tryWrite func(fd uintptr)
	read, write       func(fd uintptr) (done bool)
}

var calls = sync.Pool{New: func() any {
	c := new(call)
	c.tryRead = func(fd uintptr) { c.n, c.err = rawRead(fd, c.buffer) }
	c.tryWrite = func(fd uintptr) { c.n, c.err = rawWrite(fd, c.buffer) }
	c.read = func(fd uintptr) bool { c.tryRead(fd); return c.err != syscall.EAGAIN }
	c.write = c.writeAll
	return c
}}

// writeAll returns false if the socket is full: it is called again when there is room.
func (c *call) writeAll(fd uintptr) (done bool) {
	for c.n < len(c.buffer) {
		n, err := rawWrite(fd, c.buffer[c.n:])
		if c.err = err; err != nil {
			return err != syscall.EAGAIN
		}
		c.n += n
	}
	return true
}

func newCall(b []byte) *call {
	c := calls.Get().(*call)
	c.buffer, c.n, c.err = b, 0, nil
	return c
}

// end returns what the call did, where err is set if the call was never made. EAGAIN from a
// try is not an error.
func (c *call) end(err error) (int, error) {
	n := c.n
	if err == nil && c.err != syscall.EAGAIN {
		err = c.err
	}
	c.buffer = nil // so that the pool does not keep the buffer alive
	calls.Put(c)
	return n, err
}

// endRead is end for a read: zero bytes without an error mean io.EOF.
func (c *call) endRead(err error) (int, error) {
	if err == nil && c.err == nil && c.n == 0 {
		err = io.EOF
	}
	return c.end(err)
}

// tryWrite writes as much as the socket takes at once, which may be nothing. Deadlines do not
// apply.
func (s *socket) tryWrite(b []byte) (n int, err error) {
	c := newCall(b)
	return c.end(s.raw.Control(c.tryWrite))
}

// tryRead reads the input that is there, which may be nothing. The error is io.EOF at the end
// of the input. Deadlines do not apply.
func (s *socket) tryRead(b []byte) (n int, err error) {
	c := newCall(b)
	return c.endRead(s.raw.Control(c.tryRead))
}

// Read implements [net.Conn].
func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c := newCall(b)
	n, err := c.endRead(s.raw.Read(c.read))
	return n, s.explain("read", err)
}

// Write implements [net.Conn].
func (s *socket) Write(b []byte) (int, error) {
	c := newCall(b)
	n, err := c.end(s.raw.Write(c.write))
	return n, s.explain("write", err)
}

// explain wraps an error as package net does, for net/http.
func (s *socket) explain(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if raw, is := err.(*net.OpError); is {
		raw.Op = op
		return raw
	}
	return &net.OpError{Op: op, Net: s.network, Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}
