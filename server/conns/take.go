package conns

import (
	"bufio"
	"net/http"
	"syscall"
)

// taken is who has taken a connection over.
type taken struct {
	ended func()
	input func() // nil if what the client sends is of no interest
}

// Taken is a connection that somebody has taken over from net/http. It is written to
// without a goroutine that waits, by a [Try], or with one by Write. Close it.
type Taken struct {
	*Conn
	raw syscall.RawConn
}

// CanTakeOver tells whether the connection of a request can be written to without waiting:
// not under TLS, not with HTTP/2, and not if hang-ups are not watched for.
func CanTakeOver(r *http.Request) bool {
	c := Of(r)
	if c == nil || c.forget == nil || r.TLS != nil {
		return false
	}
	_, is := c.Conn.(syscall.Conn)
	return is
}

// TakeOver takes the connection of a request over, if [CanTakeOver] is true. early is what
// the client has sent already. The contexts of the connection's requests end.
func TakeOver(w http.ResponseWriter, r *http.Request) (t *Taken, early []byte, err error) {
	c := Of(r)
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	_, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.cancel(nil) // nobody needs the contexts any more, and there are many
	return &Taken{c, raw}, unread(buffered.Reader), nil
}

// OnEnd has ended called when the client hangs up, or has done so, and when the connection
// is closed. It may be called several times, while locks are held, and must not wait. Call
// OnEnd once.
func (t *Taken) OnEnd(ended func()) {
	t.taken.Store(&taken{ended: ended})
	if t.gone.Load() {
		ended()
	}
}

// unread is what a buffered reader holds.
func unread(r *bufio.Reader) []byte {
	waiting, _ := r.Peek(r.Buffered()) // cannot fail
	return append([]byte(nil), waiting...)
}

// OnInput has input called when the client has sent something, and at once if it has
// already. From now on that is called for a hang-up, too: reading finds it. It must not
// wait. Call OnInput at most once, after OnEnd.
func (t *Taken) OnInput(input func()) error {
	t.taken.Store(&taken{t.taken.Load().ended, input})
	return t.conns.hangups.watchInput(t.Conn, t.raw)
}

// readable calls the function of OnInput, and returns false if there is none.
func (c *Conn) readable() bool {
	by := c.taken.Load()
	if by == nil || by.input == nil {
		return false
	}
	by.input()
	return true
}
