package conns

import (
	"bufio"
	"net/http"
)

// owner holds the functions of a handler that has taken a connection over.
type owner struct {
	ended func()
	input func() // nil before OnInput
}

// Hijacked is a connection that a handler has taken over from net/http. TryWrite writes without
// waiting, and Write waits. One goroutine at a time may write, and one may read. Any may
// close the connection.
type Hijacked struct{ *Conn }

// CanHijack tells whether a handler can take over the connection of a request. It cannot
// with HTTP/2, where a connection has many requests, or if hang-ups are not watched.
func CanHijack(r *http.Request) bool {
	s := stintOf(r)
	return s != nil && s.request == nil && s.conn.socket != nil && s.conn.forget != nil && r.ProtoMajor < 2
}

// Hijack takes over the connection of a request, for which [CanHijack] must be true. sent
// is input that the client has sent already. The contexts of the connection's requests end.
func Hijack(w http.ResponseWriter, r *http.Request) (t *Hijacked, sent []byte, err error) {
	c := Of(r)
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.detach()
	c.beginTLS(hijacked)
	return &Hijacked{c}, c.unread(buffered.Reader), nil
}

// OnEnd registers ended, which is called when the client hangs up and when the connection is
// closed: at once if that has happened. It may be called several times, and while locks are
// held. It must not wait. Call OnEnd once.
func (t *Hijacked) OnEnd(ended func()) {
	t.owner.Store(&owner{ended: ended})
	if t.gone.Load() {
		ended()
	}
}

// unread returns the bytes that were read from the socket but not by a handler: those in the
// buffer of net/http, and after them those that the loop had read.
func (c *Conn) unread(r *bufio.Reader) []byte {
	waiting, _ := r.Peek(r.Buffered()) // Peek cannot fail here
	all := append(append([]byte(nil), waiting...), c.ahead...)
	c.ahead = nil
	return all
}

// OnInput registers input, which is called when there is something to read, including EOF.
// From now on a hang-up is reported by input, not by ended. input must not wait. Call OnInput
// at most once, after OnEnd.
func (t *Hijacked) OnInput(input func()) error {
	t.owner.Store(&owner{t.owner.Load().ended, input})
	if t.tls != nil {
		input() // crypto/tls may hold bytes that it has read
	}
	return t.conns.poller.alsoInput(t.Conn)
}

// readable calls the function of OnInput. It returns false if there is none.
func (c *Conn) readable() bool {
	by := c.owner.Load()
	if by == nil || by.input == nil {
		return false
	}
	by.input()
	return true
}

// TryWrite writes as much as the connection takes at once, which may be nothing. The first n
// bytes of b are done with. If waits is true the connection is full now: go on with Write.
// After an error the connection is of no use.
func (t *Hijacked) TryWrite(b []byte) (n int, waits bool, err error) { return t.tryWrite(b) }

// tryWrite is TryWrite. The loop calls it, too.
func (c *Conn) tryWrite(b []byte) (n int, waits bool, err error) {
	if c.tls != nil {
		return c.tls.tryWrite(b)
	}
	n, err = c.socket.tryWrite(b)
	return n, n < len(b), err
}

// TryRead reads the input that is there, which may be nothing. The error is io.EOF at the end
// of the input.
func (t *Hijacked) TryRead(b []byte) (n int, err error) {
	if t.tls != nil {
		return t.tls.tryRead(b)
	}
	return t.socket.tryRead(b)
}

// Write implements [net.Conn], so it waits. It first writes what TryWrite has buffered, even
// if b is empty.
func (t *Hijacked) Write(b []byte) (int, error) { return t.writeAll(b) }

// writeAll is Write. The loop calls it, too.
func (c *Conn) writeAll(b []byte) (int, error) {
	switch {
	case c.tls != nil:
		return c.tls.write(b)
	case len(b) == 0:
		return 0, nil
	}
	return c.writeWaiting(b)
}

// CloseWrite tells the client that nothing more comes. It does not wait.
func (t *Hijacked) CloseWrite() error {
	if t.tls != nil {
		return t.tls.closeWrite()
	}
	return t.Conn.CloseWrite()
}

// Finish closes the connection. It does not wait: closed is called when the connection is
// closed. What TryWrite has buffered is still sent, if the client reads it within a second.
// Call Finish once.
func (t *Hijacked) Finish(closed func()) { t.finish(closed) }

// finish is Finish. The loop calls it, too.
func (c *Conn) finish(closed func()) {
	if c.tls != nil {
		c.tls.close(closed)
		return
	}
	_ = c.Close()
	closed()
}
