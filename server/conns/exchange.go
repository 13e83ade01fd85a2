package conns

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Exchange is a request that waits for its answer and has no goroutine. It keeps nothing of
// the request. Its methods are safe for concurrent use.
type Exchange struct {
	conn   *Conn
	number uint64 // of its serving
	header http.Header
	closes bool
	ended  func()
}

// CanWait tells whether a request can wait without its goroutine, see [Wait]. It is false
// for all but HTTP/1.1 on TCP whose hang-ups are watched for, with or without TLS, and if
// [Conns.InLoop] is not set.
func CanWait(r *http.Request) bool {
	s := stintOf(r)
	return s != nil && s.conn.loops && s.conn.conns.InLoop != nil && !s.conn.conns.loop.closing.Load() &&
		r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.ContentLength == 0
}

// Wait takes a request, for which [CanWait] is true, from its handler: that must return
// without answering, and whoever gets true of Take answers. The context of the request ends.
//
// ended is called when the client hangs up or the connection is closed: at most once, and
// never if somebody got true of Take. It must not wait. Locks may be held, and Wait may not
// have returned yet.
//
// If there is an error the client is gone, or was so before: ended is not called, and the
// handler has nothing to answer either.
func Wait(w http.ResponseWriter, r *http.Request, ended func()) (*Exchange, error) {
	if !CanWait(r) {
		return nil, errors.ErrUnsupported
	}
	s := stintOf(r)
	c := s.conn
	h := w.Header()
	e := &Exchange{conn: c, closes: wantsClose(r) || h.Get("Connection") == "close", ended: ended}
	if len(h) > 0 {
		e.header = h.Clone() // its values may be parts of what the request had
	}
	var err error
	if s.served == nil {
		err = c.leaveServer(w, r)
	} else {
		err = s.served.leave()
	}
	if err == nil {
		err = c.wait(e)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// leaveServer takes the connection over from net/http.
func (c *Conn) leaveServer(w http.ResponseWriter, r *http.Request) error {
	l := c.conns.loop
	l.join() // before net/http forgets it: a drain waits for both
	if _, moved := c.state.move(outside, serving); !moved {
		l.leave()
		return net.ErrClosed
	}
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if _, moved := c.state.move(serving, outside); moved {
			l.leave()
		}
		return err
	}
	c.sealAs(hijacked)
	if c.ahead = c.unread(buffered.Reader); len(c.ahead) > 0 || c.seal != nil { // TLS may have read more than it has given
		c.state.note()
	}
	c.detach()
	c.remote, c.secure = r.RemoteAddr, r.TLS
	c.handled.Store(true)
	if err := l.hangups.watchInput(c); err != nil {
		_ = c.Close()
		return err
	}
	return nil
}

// detach ends the context that net/http has, as there are many.
func (c *Conn) detach() {
	c.begin.Lock()
	cancel := c.cancel
	c.cancel, c.context, c.stint = nil, nil, nil
	c.begin.Unlock()
	cancel(nil)
}

// wait has the exchange wait.
func (c *Conn) wait(e *Exchange) error {
	e.number = c.state.word.Load() / serveds
	c.exchange = e
	if _, moved := c.state.move(serving, waiting); !moved {
		return net.ErrClosed
	}
	// Whoever sees the client hang up sets gone, and then looks whether somebody waits.
	if c.gone.Load() && c.state.moveServing(e.number, waiting, serving) {
		_ = c.Close()
		return context.Canceled
	}
	return nil
}

// Take moves the exchange from waiting to being answered. It returns false if somebody else
// has done so, or the client is gone.
func (e *Exchange) Take() bool {
	if !e.conn.state.moveServing(e.number, waiting, answering) {
		return false
	}
	e.conn.exchange = nil
	return true
}

// Header returns what the handler had set before Wait, nil if that was nothing.
func (e *Exchange) Header() http.Header { return e.header }

// Closes tells whether the connection closes after the answer, which then is to say so: the
// client or the handler has asked for that, or the server stops.
func (e *Exchange) Closes() bool { return e.closes || e.conn.conns.loop.closing.Load() }

// Send sends a whole answer. It does not wait: what the socket does not take is written by
// a goroutine, so the answer must not be changed. For that hold counts the answer until
// giveBack is called; if ok is false there is no room, and the connection is closed. When all
// is sent the connection waits for its next request, or is closed if last is set or
// [Exchange.Closes] is true. Who got true of Take calls Send or Close, once.
func (e *Exchange) Send(answer []byte, last bool, hold func(answer []byte) (giveBack func(), ok bool)) {
	c := e.conn
	c.conns.countForPeer(c)
	c.send(answer, last || e.closes, hold)
}

// Close closes the connection in place of Send, for who got true of Take and cannot answer.
func (e *Exchange) Close() {
	if e.conn.state.moveServing(e.number, answering, closed) {
		_ = e.conn.close(answering)
	}
}

// send sends an answer, after which the connection is idle or closed. It does not wait.
func (c *Conn) send(answer []byte, last bool, hold func(answer []byte) (giveBack func(), ok bool)) {
	n, waits, err := c.tryWrite(answer)
	if err != nil || !waits {
		c.sent(last, err)
		return
	}
	giveBack, ok := hold(answer)
	if !ok {
		giveBack()
		_ = c.Close()
		return
	}
	go func() {
		defer giveBack()
		_, err := c.writeAll(answer[n:])
		c.sent(last, err)
	}()
}

// holdNothing is for an answer that is small or counts elsewhere.
func holdNothing([]byte) (giveBack func(), ok bool) { return func() {}, true }

// sent is called when an answer is sent, or that has failed.
func (c *Conn) sent(last bool, err error) {
	switch {
	case err != nil:
		_ = c.Close()
		return
	case last:
		c.finish(func() {})
		return
	}
	c.handled.Store(false)
	c.conns.loop.rest(c, answering)
}

// rest makes a connection idle.
func (l *loop) rest(c *Conn, from uint64) {
	c.idleSince.Store(int64(time.Since(start)))
	was, moved := c.state.move(from, idle)
	if moved && was&noted != 0 {
		l.push(c)
	}
	if l.closing.Load() { // whoever set it may have looked before
		c.closeIf(idle)
	}
}
