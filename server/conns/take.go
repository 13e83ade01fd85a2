package conns

import (
	"bufio"
	"net/http"
)

// owner is who has taken a connection over.
type owner struct {
	ended func()
	input func() // nil if what the client sends is of no interest
}

// Taken is a connection that somebody has taken over from net/http. It is written to
// without a goroutine that waits, by TryWrite, or with one, by Write. One goroutine at a
// time may write, one may read, and anyone may close it.
type Taken struct{ *Conn }

// CanTakeOver tells whether the connection of a request can be written to without waiting:
// not with HTTP/2, whose connections have many requests, and not if hang-ups are not
// watched for.
func CanTakeOver(r *http.Request) bool {
	s := stintOf(r)
	return s != nil && s.served == nil && s.conn.socket != nil && s.conn.forget != nil && r.ProtoMajor < 2
}

// TakeOver takes the connection of a request over, if [CanTakeOver] is true. sent is what
// the client has sent already. The contexts of the connection's requests end.
func TakeOver(w http.ResponseWriter, r *http.Request) (t *Taken, sent []byte, err error) {
	c := Of(r)
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.detach()
	c.sealAs(hijacked)
	return &Taken{c}, c.unread(buffered.Reader), nil
}

// OnEnd has ended called when the client hangs up, or has done so, and when the connection
// is closed. It may be called several times, while locks are held, and must not wait. Call
// OnEnd once.
func (t *Taken) OnEnd(ended func()) {
	t.owner.Store(&owner{ended: ended})
	if t.gone.Load() {
		ended()
	}
}

// unread takes what was read from the socket and not by net/http: what its buffer holds, and
// what the loop had read ahead, which may be more.
func (c *Conn) unread(r *bufio.Reader) []byte {
	waiting, _ := r.Peek(r.Buffered()) // cannot fail
	all := append(append([]byte(nil), waiting...), c.ahead...)
	c.ahead = nil
	return all
}

// OnInput has input called when the client has sent something, and at once if it has
// already. From now on that is called for a hang-up, too: reading finds it. It must not
// wait. Call OnInput at most once, after OnEnd.
func (t *Taken) OnInput(input func()) error {
	t.owner.Store(&owner{t.owner.Load().ended, input})
	if t.seal != nil {
		input() // TLS may have read more than it has given
	}
	return t.conns.hangups.watchInput(t.Conn)
}

// readable calls the function of OnInput, and returns false if there is none.
func (c *Conn) readable() bool {
	by := c.owner.Load()
	if by == nil || by.input == nil {
		return false
	}
	by.input()
	return true
}

// TryWrite writes as much as the connection takes at once, which may be nothing. n bytes
// of b need not be written again. If waits is true, the connection has no room now: go on
// with Write. An error means that the connection is of no use any more.
func (t *Taken) TryWrite(b []byte) (n int, waits bool, err error) { return t.tryWrite(b) }

// tryWrite is TryWrite, also of the loop.
func (c *Conn) tryWrite(b []byte) (n int, waits bool, err error) {
	if c.seal != nil {
		return c.seal.tryWrite(b)
	}
	n, err = c.socket.tryWrite(b)
	return n, n < len(b), err
}

// TryRead reads what has arrived, which may be nothing. The error is io.EOF at the end.
func (t *Taken) TryRead(b []byte) (n int, err error) {
	if t.seal != nil {
		return t.seal.tryRead(b)
	}
	return t.socket.tryRead(b)
}

// Write implements [net.Conn]: it waits. It first writes what TryWrite could not, also if
// b is empty.
func (t *Taken) Write(b []byte) (int, error) { return t.writeAll(b) }

// writeAll is Write, also of the loop.
func (c *Conn) writeAll(b []byte) (int, error) {
	switch {
	case c.seal != nil:
		return c.seal.write(b)
	case len(b) == 0:
		return 0, nil
	}
	return c.writeWaiting(b)
}

// CloseWrite tells the client that nothing more comes.
func (t *Taken) CloseWrite() error {
	if t.seal != nil {
		return t.seal.closeWrite()
	}
	return t.Conn.CloseWrite()
}

// Finish closes the connection. What TryWrite has kept is still sent, if the client reads
// it within a second. It does not wait: closed is called when the connection is closed.
// Call it once.
func (t *Taken) Finish(closed func()) { t.finish(closed) }

// finish is Finish, also of the loop.
func (c *Conn) finish(closed func()) {
	if c.seal != nil {
		c.seal.close(closed)
		return
	}
	_ = c.Close()
	closed()
}
