package conns

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// loop serves the connections that [Wait] took over: one goroutine reads the requests of all
// and calls the handler. That goroutine must not wait. A request that may have to wait hands
// the loop on to another goroutine first, see package turn.
//
// The loop also reports hang-ups on net/http's connections, and the input of taken-over ones.
type loop struct {
	conns  *Conns
	poller *poller
	server *http.Server // serves the requests with its handler
	back   *back

	// Only for the goroutine that is the loop.
	turn   []*Conn // have noted input, and are to be served in this round
	parser *parser
	buffer [MaxHeader]byte

	ended   chan struct{}  // closed when the loop has ended
	ends    sync.WaitGroup // goroutines that end with the loop
	closing atomic.Bool    // idle connections are closed

	mu     sync.Mutex    // guards the fields below; no other lock is taken under it
	ready  []*Conn       // have noted input
	asleep bool          // the loop waits for events, and does not look at ready
	open   int           // connections of the loop
	empty  chan struct{} // closed when open is 0; nil if drain does not wait
}

// event is what happened on a connection.
type event struct {
	id     uint64 // Conn.watched
	hungUp bool   // otherwise there is input
}

func newLoop(o *Conns, h *poller, server *http.Server, back *back) *loop {
	l := &loop{conns: o, poller: h, server: server, back: back, parser: newParser(), ended: make(chan struct{})}
	go l.run()
	if server.IdleTimeout > 0 {
		l.ends.Go(func() { l.endIdle(server.IdleTimeout, l.ended) })
	}
	l.ends.Go(func() { <-l.ended })
	return l
}

// run runs the loop until it is handed on or poller is closed.
func (l *loop) run() {
	for open := true; open; open = l.gather() {
		for e, some := l.poller.next(); some; e, some = l.poller.next() {
			if !l.happened(e) {
				return
			}
		}
		for len(l.turn) > 0 {
			c := l.turn[0]
			l.turn[0], l.turn = nil, l.turn[1:]
			if !l.serve(c) {
				return
			}
		}
	}
	close(l.ended)
}

// gather looks for work, and waits until there is some. A client that sends many requests at
// once gets one of them served in each round.
func (l *loop) gather() (open bool) {
	l.mu.Lock()
	l.turn, l.ready = l.ready, nil
	idle := len(l.turn) == 0
	l.asleep = idle
	l.mu.Unlock()
	open = l.poller.look(idle)
	if idle {
		l.mu.Lock()
		l.asleep = false
		l.mu.Unlock()
	}
	return open
}

// push makes the loop serve a connection in the next round.
func (l *loop) push(c *Conn) {
	l.mu.Lock()
	l.ready = append(l.ready, c)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.poller.wake()
	}
}

// happened handles an event. It returns false if its goroutine is not the loop any more.
func (l *loop) happened(e event) (still bool) {
	c := l.poller.conn(e.id)
	switch {
	case c == nil: // closed at the same time, or an event of wake
	case !c.state.is(outside): // the loop's own: served now if it is idle, otherwise the input is noted for later
		if e.hungUp {
			c.hungUp()
		}
		if was := c.state.note(idle, outside, closed); was&stateMask == idle {
			return l.serve(c)
		}
	case c.readable():
	case e.hungUp:
		c.hungUp()
	}
	return true
}

// serve serves the next request of an idle connection. It returns false if its goroutine is
// not the loop any more.
func (l *loop) serve(c *Conn) (still bool) {
	if _, moved := c.state.move(idle, serving); !moved {
		return true
	}
	if r := l.read(c); r != nil {
		return l.answer(c, r)
	}
	return true
}

// firstRead is how many bytes are read at first. net/http reads as many, and so keeps no more
// of a client that sends many requests at once.
const firstRead = 4 << 10

// read reads the next request. It returns nil if there is none for the loop: then the
// connection is idle, given back or closed.
func (l *loop) read(c *Conn) *http.Request {
	b := l.buffer[:copy(l.buffer[:], c.ahead)]
	c.ahead = nil
	all := false // all input was read, so more input is a new event
	for limit, tries := firstRead, 0; ; limit, tries = MaxHeader, tries+1 {
		r, n := l.parser.request(b)
		switch {
		case r != nil && l.conns.InLoop(r) && !c.gone.Load() && !l.closing.Load():
			if n < len(b) {
				c.ahead = bytes.Clone(b[n:])
			}
			if n < len(b) || !all {
				c.state.note()
			}
			return r
		case n > 0 || bytes.Contains(b, headEnd) || len(b) == MaxHeader || tries == maxReads:
			l.giveBack(c, b)
			return nil
		case len(b) >= limit:
			continue
		}
		var err error
		n, all, err = c.tryReadAll(l.buffer[len(b):limit])
		b = l.buffer[:len(b)+n]
		switch {
		case n > 0:
		case len(b) > 0: // net/http waits for the rest, or gets the error
			l.giveBack(c, b)
			return nil
		case err != nil:
			_ = c.Close()
			return nil
		default:
			l.rest(c, serving)
			return nil
		}
	}
}

// A connection whose request head comes in more pieces is given back to net/http: under TLS,
// a record of one byte costs as much to read as a whole request.
const (
	maxReads   = 4
	maxRecords = 8 // of TLS for each read
)

// tryReadAll reads the input that is there. all tells that no more was there.
func (c *Conn) tryReadAll(b []byte) (n int, all bool, err error) {
	if c.tls == nil {
		n, err = c.socket.tryRead(b)
		return n, n < len(b), err
	}
	for range maxRecords {
		m, err := c.tls.tryRead(b[n:])
		if n += m; m == 0 || err != nil {
			return n, err == nil, err
		}
		if n == len(b) {
			break
		}
	}
	return n, false, nil
}

// giveBack makes net/http serve a connection again. b was read from it already.
func (l *loop) giveBack(c *Conn, b []byte) {
	c.ahead, c.probeSkipped = bytes.Clone(b), false
	c.handled.Store(false)
	back, ok := c.endTLS()
	if _, moved := c.state.move(serving, outside); !moved {
		return
	}
	l.leave()
	if err := l.poller.onlyHangUps(c); err != nil || !ok || !l.back.push(back) {
		_ = c.Close()
	}
}

// join counts a connection of the loop, until leave.
func (l *loop) join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
}

func (l *loop) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open--; l.open == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
}

// shut closes the idle connections, and makes rest close each that becomes idle later.
func (l *loop) shut() {
	l.closing.Store(true)
	for _, c := range l.poller.find(func(c *Conn) bool { return c.state.is(idle) }) {
		c.closeIf(idle)
	}
}

// drain waits until the loop has no connections, or returns the error of ctx.
func (l *loop) drain(ctx context.Context) error {
	l.shut()
	l.mu.Lock()
	if l.open == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.empty == nil {
		l.empty = make(chan struct{})
	}
	empty := l.empty
	l.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close closes the connections of the loop.
func (l *loop) close() {
	l.closing.Store(true)
	_ = l.back.Close()
	for _, c := range l.poller.find(func(c *Conn) bool { return !c.state.is(outside) }) {
		_ = c.Close()
	}
}

// endIdle closes connections that are idle for longer than after. It returns when stop is
// closed.
func (l *loop) endIdle(after time.Duration, stop <-chan struct{}) {
	const parts = 8
	tick := time.NewTicker(after / parts)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.closeIdleSince(time.Now().Add(-after))
		case <-stop:
			return
		}
	}
}

// closeIdleSince closes the connections that have been idle since t or longer.
func (l *loop) closeIdleSince(t time.Time) {
	since := int64(t.Sub(start))
	old := func(c *Conn) bool { return c.state.is(idle) && c.idleSince.Load() <= since }
	for _, c := range l.poller.find(old) {
		c.closeIf(idle)
	}
}
