//go:build unix

package conns

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// socket reads and writes of a connection, by readOnce and writeOnce. It is a [net.Conn]
// in all else.
type socket struct {
	net.Conn
	raw     syscall.RawConn
	network string // tcp or unix, for errors
}

// socketOf is the socket of a connection, nil if it has none, as in memory.
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

// call is a system call. It keeps what one needs, so that thousands make no garbage.
type call struct {
	buffer            []byte
	n                 int
	err               error
	tryRead, tryWrite func(fd uintptr)
	read, write       func(fd uintptr) (done bool)
}

var calls = sync.Pool{New: func() any {
	c := new(call)
	c.tryRead = func(fd uintptr) { c.n, c.err = readOnce(fd, c.buffer) }
	c.tryWrite = func(fd uintptr) { c.n, c.err = writeOnce(fd, c.buffer) }
	c.read = func(fd uintptr) bool { c.tryRead(fd); return c.err != syscall.EAGAIN }
	c.write = c.writeAll
	return c
}}

// writeAll returns false if it has to wait before it goes on.
func (c *call) writeAll(fd uintptr) (done bool) {
	for c.n < len(c.buffer) {
		n, err := writeOnce(fd, c.buffer[c.n:])
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

// end returns what was done, where err is why something was not even tried. EAGAIN is no
// error of one that tries.
func (c *call) end(err error) (int, error) {
	n := c.n
	if err == nil && c.err != syscall.EAGAIN {
		err = c.err
	}
	c.buffer = nil // else it is kept from the garbage collector
	calls.Put(c)
	return n, err
}

// endRead is end of one that reads: nothing but no error is the end of what comes.
func (c *call) endRead(err error) (int, error) {
	if err == nil && c.err == nil && c.n == 0 {
		err = io.EOF
	}
	return c.end(err)
}

// tryWrite writes what is taken at once, which may be nothing. It knows no deadline.
func (s *socket) tryWrite(b []byte) (n int, err error) {
	c := newCall(b)
	return c.end(s.raw.Control(c.tryWrite))
}

// tryRead reads what has arrived, which may be nothing. The error is io.EOF at the end. It
// knows no deadline.
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

// explain returns an error as package net has it, which net/http looks at.
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
