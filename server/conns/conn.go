package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// listener gives connections three manners that net/http's lack. What net/http
// answers by itself, before any handler sees the request, is JSON, logged and
// counted as our own refusals are. A client that does not take its answer in is
// reset, since the kernel would keep for minutes what it has for it. And hang-ups
// are seen for all connections at once, see hangups. What is too many is turned
// away, see connections.
type listener struct {
	net.Listener
	server *Server
	told   *time.Time // when an error was logged last
}

// Accept is called by one goroutine, which tries again after most errors.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.failed(err)
			}
			return nil, err
		}
		if newcomer := (&conn{Conn: c, server: l.server}); l.server.admitConn(newcomer) {
			return newcomer, nil
		}
	}
}

func (l listener) failed(err error) {
	l.server.metrics.acceptErrors.Inc()
	if now := time.Now(); now.Sub(*l.told) >= acceptErrorEvery {
		*l.told = now
		l.server.log.Error("a connection could not be taken; if files are short, raise ulimit -n", "error", err)
	}
}

const acceptErrorEvery = 10 * time.Second // at most one line

// conn is one connection. All that is not atomic is used by the goroutine that
// serves it, but for what Close needs.
type conn struct {
	net.Conn
	server  *Server
	last    lasts       // what its client was given, see places
	known   atomic.Bool // no newcomer any more
	handled atomic.Bool // a request of it is or was with a handler, since it was idle
	writeBy time.Time   // the deadline that is set
	held    *heldConn   // guarded by connections

	end     context.CancelCauseFunc // ends its context
	forget  func()                  // ends the watch for a hang-up, nil where there is none
	skipped bool                    // the last read was
}

type connKey struct{}

// connOf is the connection that a request came on, nil if it is not from our
// listener.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// track is for http.Server.ConnState.
func (c *conn) track(state http.ConnState) {
	if state == http.StateIdle {
		c.handled.Store(false)
	}
}

// connContext is for http.Server: the context ends when the client hangs up, and
// knows its connection.
func (h *hangups) connContext(ctx context.Context, c net.Conn) context.Context {
	ours := c.(*conn)
	ctx, ours.end = context.WithCancelCause(ctx)
	ours.forget = h.watch(ours.Conn, func() { ours.end(nil) })
	return context.WithValue(ctx, connKey{}, ours)
}

// Read skips the read of one byte in which net/http waits for a hang-up while a
// handler runs, where hangups watch for it: to read nothing is nothing wrong,
// and ends that. Who reads again means it.
func (c *conn) Read(b []byte) (int, error) {
	if c.skipped = c.forget != nil && len(b) == 1 && !c.skipped; c.skipped {
		return 0, nil
	}
	return c.Conn.Read(b)
}

func (c *conn) Close() error {
	if c.forget != nil {
		c.forget()
	}
	if c.end != nil { // else net/http has not heard of it
		c.end(nil)
	}
	err := c.Conn.Close()
	c.server.connections.leave(c) // now that its descriptor is free
	return err
}

// Write gives the client the write timeout to take b in, or up to half as much
// again: a deadline costs a twentieth of a small answer, and so is not set for
// each.
func (c *conn) Write(b []byte) (int, error) {
	if now := time.Now(); c.writeBy.Sub(now) < writeTimeout {
		c.writeBy = now.Add(writeTimeout + writeTimeout/2)
		_ = c.Conn.SetWriteDeadline(c.writeBy) // a connection that is gone says so below
	}
	if !c.handled.Load() {
		if p := unhandled(b); p != nil {
			c.server.refuseUnhandled(c.RemoteAddr(), p)
			_, err := c.Conn.Write(p.response())
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
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
