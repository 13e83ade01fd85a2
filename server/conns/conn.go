package conns

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is one connection of a client. Fields that are neither atomic nor guarded belong to
// the goroutine that serves the connection: one of net/http, or see [state]. Close may be
// called at any time.
type Conn struct {
	net.Conn
	wire    io.ReadWriter // the socket, or the embedded Conn if that is not plain TCP or Unix
	socket  *socket       // nil for a connection in memory
	conns   *Conns
	id      uint64
	hasSent atomic.Bool  // the client has sent something, so the connection is not unused
	handled atomic.Bool  // a handler has begun a request since the connection was idle
	writeBy atomic.Int64 // the write deadline in ns since start, 0 for none
	theirs  atomic.Bool  // the write deadline was set by a caller, not by setDeadline
	holding *holding     // guarded by Conns.mu

	// lifeMu guards closed, cause, cancel and request. end and forget are set once under it,
	// before the first handler; after that they are read without it. poller.mu may be taken under
	// it.
	lifeMu sync.Mutex
	closed bool
	cause  error // of the first call of end

	base    context.Context         // the server's
	context context.Context         // of net/http's requests; holds stint as a value
	stint   *stint                  // nil when net/http does not have the connection
	cancel  context.CancelCauseFunc // ends the contexts of net/http's requests
	request *loopRequest            // the request that the loop serves
	end     context.CancelCauseFunc // endAll, bound once so that no poll makes a closure; nil until net/http has the connection
	gone    atomic.Bool             // end was called
	owner   atomic.Pointer[owner]   // of a handler that has taken the connection over; nil if none has
	tls     *asyncTLS               // the TLS of a connection that is taken over; nil without TLS
	forget  func()                  // ends the watch for a hang-up; nil if the connection is not watched

	watched uint64 // the connection's id in poller

	secure *tls.ConnectionState // set with HTTP/2 and in the loop, before the first request
	frames *http2Conn           // the connection's HTTP/2 frames; nil with HTTP/1

	paced        bool        // Read has waited for the pace of new connections
	skipProbe    atomic.Bool // Read skips net/http's read that waits for a hang-up
	probeSkipped bool        // the last read was skipped

	// The fields below are the loop's. net/http's goroutine reads ahead, too.
	canLoop   bool // the loop can serve the connection
	state     state
	exchange  *Exchange    // the request that waits
	idleSince atomic.Int64 // in ns since start
	remote    string       // Request.RemoteAddr
	ahead     []byte       // plain bytes that were read too early; net/http gets them, too
}

func newConn(c net.Conn, all *Conns) *Conn {
	ours := &Conn{Conn: c, wire: c, socket: socketOf(c), conns: all, id: all.lastID.Add(1)}
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		if ours.socket != nil {
			ours.wire = ours.socket
		}
	}
	return ours
}

// start is the zero of all times that are kept as nanoseconds.
var start = time.Now()

// of returns the Conn under a connection of net/http, which may have TLS around it; nil if
// there is none.
func of(c net.Conn) *Conn {
	if ours, ok := c.(*Conn); ok {
		return ours
	}
	if wrapper, ok := c.(interface{ NetConn() net.Conn }); ok {
		return of(wrapper.NetConn())
	}
	return nil
}

// MarkHandled marks the connection of r as one on which a handler runs. Call it before the
// handler.
func MarkHandled(r *http.Request) {
	if c := Of(r); c != nil {
		c.handled.Store(true)
	}
}

// Ender returns a function that ends the contexts of all requests on the connection of r. The
// function does nothing if the connection is not from a listener of [Conns.Prepare].
func Ender(r *http.Request) context.CancelCauseFunc {
	if c := Of(r); c != nil {
		return c.end
	}
	return func(error) {}
}

// endAll is the value of the field end.
func (c *Conn) endAll(cause error) {
	c.lifeMu.Lock()
	if c.cause == nil {
		c.cause = cmp.Or(cause, context.Canceled)
	}
	cancel, served := c.cancel, c.request
	c.gone.Store(true)
	c.lifeMu.Unlock()
	if cancel != nil { // nil: net/http does not have it
		cancel(cause)
	}
	if served != nil {
		served.end(cmp.Or(cause, context.Canceled))
	}
	if by := c.owner.Load(); by != nil {
		by.ended()
	}
	c.closeIf(waiting)
}

// whyGone returns the cause of the first call of end, nil if there was none.
func (c *Conn) whyGone() error {
	c.lifeMu.Lock()
	defer c.lifeMu.Unlock()
	return c.cause
}

// hungUp is called when the client has hung up.
func (c *Conn) hungUp() { c.endAll(nil) }

// ID returns a number that no other connection has, before or after. It returns 0 if the
// connection of r is not from a listener of [Conns.Prepare].
func ID(r *http.Request) uint64 {
	if c := Of(r); c != nil {
		return c.id
	}
	return 0
}

// Read reads from the connection. But while a handler runs, net/http reads one byte only to
// notice a hang-up. [poller] notices it more cheaply, so Read skips that read: it returns 0
// bytes without an error, which ends net/http's wait. Read does not skip the next read.
//
// This saves each poll a goroutine with its stack, two system calls and two deadlines.
// Nothing is skipped under TLS, or after a handler has taken the connection over.
func (c *Conn) Read(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.receive(b)
	}
	if c.probeSkipped = len(b) == 1 && !c.probeSkipped && c.skipProbe.Load(); c.probeSkipped {
		return 0, nil
	}
	if len(c.ahead) > 0 && c.secure == nil { // with TLS, ahead is plain text, and backTLS reads it
		return c.readAhead(b), nil
	}
	if !c.paced {
		if err := c.pace(); err != nil {
			return 0, err
		}
	}
	return c.wire.Read(b)
}

// pace waits until a new connection may be read. On an error of [Conns.Pace] it answers and
// closes the connection, unless the client is gone.
func (c *Conn) pace() error {
	c.paced = true
	who, _, _ := c.conns.limitsOf(c)
	if c.conns.Pace == nil || c.context == nil || !c.conns.bounded || !who.IsValid() {
		return nil
	}
	err := c.conns.Pace(c.context, who, c.conns.secure)
	if err != nil && c.context.Err() == nil {
		c.conns.turnAway(c, err)
	}
	return err
}

func (c *Conn) readAhead(b []byte) int {
	n := copy(b, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
	}
	return n
}

// attach is called when net/http gets the connection, also when the loop gives it back. By
// then the connection may be closed, to make room for one of another listener, or its client
// may have hung up.
func (c *Conn) attach(cancel context.CancelCauseFunc) {
	c.lifeMu.Lock()
	defer c.lifeMu.Unlock()
	c.cancel = cancel
	if c.end == nil {
		c.end = c.endAll
	}
	if c.closed || c.cause != nil {
		c.gone.Store(true)
		cancel(c.cause)
		return
	}
	if c.forget == nil {
		c.forget = c.conns.poller.watch(c)
	}
}

// Close closes the connection and ends the contexts of its requests. Close may be called
// again.
func (c *Conn) Close() error { return c.close(c.state.close()) }

// closeIf closes the connection if it is in the given state.
func (c *Conn) closeIf(state uint64) {
	if was, moved := c.state.move(state, closed); moved {
		if state == idle && c.tls != nil {
			_ = c.tls.tls.CloseWrite() // if it fails, nobody can be told
		}
		_ = c.close(was)
	}
}

// close is Close. was is the state that the connection had before.
func (c *Conn) close(was uint64) error {
	c.lifeMu.Lock()
	c.closed = true
	forget, end := c.forget, c.end
	c.lifeMu.Unlock()
	if forget != nil {
		forget()
	}
	switch was & stateMask {
	case waiting:
		c.exchange.ended()
		fallthrough
	case idle, serving, answering:
		c.conns.loop.leave()
	}
	if end != nil { // nil: net/http does not have the connection
		end(nil)
	}
	err := c.Conn.Close()
	c.conns.leave(c) // last, because the place is free only when the descriptor is
	return err
}

// writeTimeout is the least time that a client has to read one part of an answer.
const writeTimeout = 20 * time.Second

// Write writes a part of an answer. It fails if the client does not read for 20 to 30
// seconds. The time varies because a deadline that is far enough off is used again: setting
// one costs a twentieth of a small answer.
//
// When Write fails so, the connection is reset. Otherwise the kernel would keep the rest of
// the answer for minutes.
func (c *Conn) Write(b []byte) (int, error) {
	if c.tls != nil {
		return c.tls.send(b)
	}
	return c.writeWaiting(b)
}

func (c *Conn) writeWaiting(b []byte) (int, error) {
	c.setDeadline()
	if c.end != nil && !c.handled.Load() { // end is nil where no handler is marked, see [Conns.Limit]
		if problem := netHTTPError(b); problem != nil {
			_, err := c.wire.Write(c.conns.responder.ProblemForConn(problem, c.RemoteAddr()).Response())
			return len(b), err
		}
	}
	n, err := c.wire.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // if it fails, the connection is closed already
		}
	}
	return n, err
}

// setDeadline sets the write deadline, unless a caller of SetWriteDeadline has.
func (c *Conn) setDeadline() {
	now := time.Now()
	since := now.Sub(start) // by the monotonic clock, like the deadline
	by := time.Duration(c.writeBy.Load())
	if c.theirs.Load() || by != 0 && by-since >= writeTimeout {
		return
	}
	const within = writeTimeout + writeTimeout/2
	c.writeBy.Store(int64(since + within))
	_ = c.Conn.SetWriteDeadline(now.Add(within)) // if it fails, so does the write
}

// SetWriteDeadline implements [net.Conn]. A deadline set here is kept until a zero time
// clears it: TLS sets one to close, and a handler that took the connection over may set one.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.theirs.Store(!t.IsZero())
	c.writeBy.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements [net.Conn]. For the write deadline, see SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.Conn.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite closes the sending half. net/http calls it at the end of an answer, before
// it closes the connection.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
