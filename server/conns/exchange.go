package conns

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Exchange is a request that waits for its answer without a goroutine. It keeps nothing of
// the request. Its methods are safe for concurrent use.
type Exchange struct {
	conn   *Conn
	number uint64 // of the serving, see [state]
	header http.Header
	closes bool
	ended  func()
}

// CanWait tells whether a request can wait without its goroutine, see [Wait]. The request
// must be HTTP/1.1 over TCP without a body, with or without TLS. Hang-ups must be watched,
// [Conns.InLoop] set, and the server not stopping.
func CanWait(r *http.Request) bool {
	s := stintOf(r)
	return s != nil && s.conn.canLoop && s.conn.conns.InLoop != nil && !s.conn.conns.loop.closing.Load() &&
		r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.ContentLength == 0
}

// Wait takes a request from its handler, which must return without answering. [CanWait] must
// be true for the request. The caller that gets true from Take answers it. The context of the
// request ends.
//
// ended is called when the client hangs up or the connection is closed: at most once, and
// never after Take returned true. ended must not wait. It may be called while locks are held,
// and before Wait returns.
//
// An error means that the client is gone, or that CanWait is false. Then ended is not called,
// and for a client that is gone the handler has nothing to answer.
func Wait(w http.ResponseWriter, r *http.Request, ended func()) (*Exchange, error) {
	if !CanWait(r) {
		return nil, errors.ErrUnsupported
	}
	s := stintOf(r)
	c := s.conn
	h := w.Header()
	e := &Exchange{conn: c, closes: wantsClose(r) || h.Get("Connection") == "close", ended: ended}
	if len(h) > 0 {
		e.header = h.Clone() // its values may share memory with the request
	}
	var err error
	if s.request == nil {
		err = c.leaveServer(w, r)
	} else {
		err = s.request.leave()
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
	l.join() // before net/http forgets the connection, so that a drain sees it
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
	c.beginTLS(hijacked)
	if c.ahead = c.unread(buffered.Reader); len(c.ahead) > 0 || c.tls != nil { // crypto/tls may hold bytes that it has read
		c.state.note()
	}
	c.detach()
	c.remote, c.secure = r.RemoteAddr, r.TLS
	c.handled.Store(true)
	if err := l.poller.alsoInput(c); err != nil {
		_ = c.Close()
		return err
	}
	return nil
}

// detach ends the context of net/http's requests, because another goroutine has the
// connection now.
func (c *Conn) detach() {
	c.lifeMu.Lock()
	cancel := c.cancel
	c.cancel, c.context, c.stint = nil, nil, nil
	c.lifeMu.Unlock()
	cancel(nil)
}

// wait makes the exchange wait.
func (c *Conn) wait(e *Exchange) error {
	e.number = c.state.word.Load() / servingUnit
	c.exchange = e
	if _, moved := c.state.move(serving, waiting); !moved {
		return net.ErrClosed
	}
	// endAll sets gone first, and closes a waiting connection then. So one of the two sees the
	// other.
	if c.gone.Load() && c.state.moveServing(e.number, waiting, serving) {
		_ = c.Close()
		return context.Canceled
	}
	return nil
}

// Take claims the exchange, to answer it. It returns false if another caller has claimed it,
// or the client is gone.
func (e *Exchange) Take() bool {
	if !e.conn.state.moveServing(e.number, waiting, answering) {
		return false
	}
	e.conn.exchange = nil
	return true
}

// Header returns the headers that the handler had set before Wait, nil if there were none.
func (e *Exchange) Header() http.Header { return e.header }

// Closes tells whether the connection closes after the answer: the client or the handler has
// asked for that, or the server stops. The answer must say so.
func (e *Exchange) Closes() bool { return e.closes || e.conn.conns.loop.closing.Load() }

// Send sends a whole answer, after Take returned true. Call Send or Close, once. Send does
// not wait: a goroutine writes what the socket does not take, so the answer must not be
// changed. Before that, hold counts the answer, until giveBack is called. If ok is false
// there is no room, and the connection is closed.
//
// After the answer the connection waits for its next request. It is closed instead if last is
// set or [Exchange.Closes] is true.
func (e *Exchange) Send(answer []byte, last bool, hold func(answer []byte) (giveBack func(), ok bool)) {
	c := e.conn
	c.conns.countPeer(c)
	c.send(answer, last || e.closes, hold)
}

// Close closes the connection instead of Send, for a caller that cannot answer after Take
// returned true.
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

// holdNothing is a hold for an answer that is small or is counted elsewhere.
func holdNothing([]byte) (giveBack func(), ok bool) { return func() {}, true }

// sent is called when an answer is sent, or could not be.
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

// rest makes a connection idle. from is the state that it has.
func (l *loop) rest(c *Conn, from uint64) {
	c.idleSince.Store(int64(time.Since(start)))
	was, moved := c.state.move(from, idle)
	if moved && was&inputFlag != 0 {
		l.push(c)
	}
	if l.closing.Load() { // shut may have looked for idle connections before
		c.closeIf(idle)
	}
}
