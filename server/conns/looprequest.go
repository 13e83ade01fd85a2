package conns

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/server/turn"
)

// loopRequest is a request that the loop serves. It is the context of the request, too.
type loopRequest struct {
	stint
	loop   *loop
	closes bool        // the client wants the connection closed after the answer
	handed atomic.Bool // its goroutine is not the loop any more, or the request has ended
	reply  reply

	mu     sync.Mutex      // guards real, cancel and cause; Conn.lifeMu may be taken under it
	real   context.Context // nil until it is needed
	cancel context.CancelCauseFunc
	cause  error // why the context has ended, nil if it has not
}

var _ context.Context = (*loopRequest)(nil)

// answer calls the handler for a request. It returns false if its goroutine is not the loop
// any more.
func (l *loop) answer(c *Conn, r *http.Request) (still bool) {
	s := &loopRequest{loop: l, closes: wantsClose(r)}
	s.stint.conn, s.stint.request, s.reply.request = c, s, s
	c.handled.Store(true)
	c.setRequest(nil, s)
	r.RemoteAddr, r.TLS = c.remote, c.secure
	if s.call(r.WithContext(s)) && !s.over.Load() {
		s.finish()
	}
	s.end(context.Canceled)
	return !s.handed.Swap(true) // a caller that keeps the context cannot hand the loop on now
}

// call calls the handler. If the handler panics before it has left, the connection is closed.
func (s *loopRequest) call(r *http.Request) (returned bool) {
	defer func() {
		if returned {
			return
		}
		if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
			s.conn.conns.responder.Panicked(r, cause)
		}
		if !s.over.Load() {
			s.reply.free()
			_ = s.conn.Close()
		}
	}()
	s.loop.server.Handler.ServeHTTP(&s.reply, r)
	return true
}

// finish sends the answer after the handler has returned.
func (s *loopRequest) finish() {
	last := s.reply.finish()
	s.over.Store(true)
	s.conn.setRequest(s, nil)
	if _, moved := s.conn.state.move(serving, answering); moved { // false if the connection was closed
		s.conn.send(s.reply.out, last, holdNothing)
	}
}

// leave is called in [Wait]: the handler will return without an answer.
func (s *loopRequest) leave() error {
	if s.reply.begun || s.over.Swap(true) {
		return http.ErrHijacked
	}
	s.conn.setRequest(s, nil)
	if !s.conn.state.is(serving) {
		return net.ErrClosed
	}
	return nil
}

// HandOn implements [turn.Holder]. Another goroutine becomes the loop. Further calls do
// nothing.
func (s *loopRequest) HandOn() {
	if !s.handed.Swap(true) {
		go s.loop.run()
	}
}

// setRequest sets Conn.request to is if its value is was.
func (c *Conn) setRequest(was, is *loopRequest) {
	c.lifeMu.Lock()
	defer c.lifeMu.Unlock()
	if c.request == was {
		c.request = is
	}
}

// Most requests never use their context, so a real one is made only when it is needed.

// Value implements context.Context.
func (s *loopRequest) Value(key any) any {
	switch key {
	case connKey{}:
		return &s.stint
	case turn.Key{}:
		return s
	}
	return s.context().Value(key)
}

// Deadline implements context.Context.
func (s *loopRequest) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (s *loopRequest) Done() <-chan struct{} { return s.context().Done() }

// Err implements context.Context.
func (s *loopRequest) Err() error {
	s.mu.Lock()
	nothing := s.real == nil && s.cause == nil
	s.mu.Unlock()
	if nothing && !s.conn.gone.Load() && s.conn.base.Err() == nil {
		return nil
	}
	return s.context().Err()
}

// context returns the real context, and makes it at the first call.
func (s *loopRequest) context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.real != nil {
		return s.real
	}
	s.real, s.cancel = context.WithCancelCause(s.conn.base)
	if s.cause == nil {
		s.cause = s.conn.whyGone()
	}
	if s.cause != nil {
		s.cancel(s.cause)
	}
	return s.real
}

// end ends the context. Only the first cause counts.
func (s *loopRequest) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		s.cause = cause
	}
	if s.cancel != nil {
		s.cancel(cause)
	}
}
