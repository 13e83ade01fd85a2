package conns

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is one connection. All that is not atomic is used by the goroutine that serves
// it, but for what Close needs.
type Conn struct {
	net.Conn
	conns   *Conns
	known   atomic.Bool // no newcomer any more
	handled atomic.Bool // a request of it is or was with a handler, since it was idle
	writeBy time.Time   // the deadline that is set
	holding *holding    // guarded by Conns

	end    context.CancelCauseFunc // ends its context
	forget func()                  // ends the watch for a hang-up, nil where there is none

	skips   atomic.Bool // net/http reads from it directly, and need not look for a hang-up
	skipped bool        // the last read was

	keptMu sync.Mutex
	kept   any // see Kept
}

type connKey struct{}

// Of is the connection that a request came on, nil if it is not from our listener.
func Of(r *http.Request) *Conn {
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}

// of is what net/http was given, or what TLS wraps; nil if it is neither.
func of(c net.Conn) *Conn {
	if ours, ok := c.(*Conn); ok {
		return ours
	}
	if wrapper, ok := c.(interface{ NetConn() net.Conn }); ok {
		return of(wrapper.NetConn())
	}
	return nil
}

// Handling tells the connection of a request that a handler has it.
func Handling(r *http.Request) {
	if c := Of(r); c != nil {
		c.handled.Store(true)
	}
}

// End returns what ends whatever is under way on the connection of a request.
func End(r *http.Request) context.CancelCauseFunc {
	if c := Of(r); c != nil {
		return c.end
	}
	return func(error) {} // not from our listener
}

// Kept returns what is remembered with the connection of a request and goes with it: a
// zero T at first. There is one T for all connections.
func Kept[T any](r *http.Request) *T {
	c := Of(r)
	if c == nil {
		return new(T) // nothing is remembered
	}
	c.keptMu.Lock()
	defer c.keptMu.Unlock()
	if c.kept == nil {
		c.kept = new(T)
	}
	return c.kept.(*T)
}

// Read skips the read of one byte in which net/http waits for a hang-up while a handler
// runs, where hangups watch for it: to read nothing is nothing wrong, and ends that
// wait. The read that follows is not skipped.
//
// It saves a goroutine with its stack, two system calls and two deadlines for each
// poll. Where TLS lies between, or a handler took the connection over, nothing is
// skipped.
func (c *Conn) Read(b []byte) (int, error) {
	if c.skipped = len(b) == 1 && !c.skipped && c.skips.Load(); c.skipped {
		return 0, nil
	}
	return c.Conn.Read(b)
}

// Close closes the connection and ends what is under way on it.
func (c *Conn) Close() error {
	if c.forget != nil {
		c.forget()
	}
	if c.end != nil { // else net/http has not heard of it
		c.end(nil)
	}
	err := c.Conn.Close()
	c.conns.leave(c) // now that its descriptor is free
	return err
}

// writeTimeout is what a client has at least to take a part of an answer in.
const writeTimeout = 20 * time.Second

// Write gives the client the write timeout to take b in, or up to half as much again: a
// deadline costs a twentieth of a small answer, and so is not set for each. A client
// that does not take it in is reset, since the kernel would keep for minutes what it
// has for it.
func (c *Conn) Write(b []byte) (int, error) {
	if now := time.Now(); c.writeBy.Sub(now) < writeTimeout {
		c.writeBy = now.Add(writeTimeout + writeTimeout/2)
		_ = c.Conn.SetWriteDeadline(c.writeBy) // a connection that is gone says so below
	}
	if !c.handled.Load() {
		if problem := unhandled(b); problem != nil {
			_, err := c.Conn.Write(c.conns.responder.Turned(problem, c.RemoteAddr()).Response())
			return len(b), err
		}
	}
	n, err := c.Conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it is gone already if that fails
		}
	}
	return n, err
}

// CloseWrite is what net/http asks for to end an answer before it hangs up.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
