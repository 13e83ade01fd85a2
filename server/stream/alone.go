package stream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// solo is a stream that has a goroutine, since its connection cannot be taken over: under
// TLS and with HTTP/2. A WebSocket has another one that reads.
type solo struct {
	streams *Streams
	way     Way
	address netip.Addr
	out     output
	cancel  context.CancelCauseFunc
	until   time.Time
	talk    *talk // nil if the client cannot talk

	mu   sync.Mutex // held while something is written
	over atomic.Bool

	interruptMu sync.Mutex // guards the next one
	interrupt   func()     // ends a write that waits; nil before there is an output, and when the handler returns
}

// output is where a solo writes to.
type output interface {
	Write(b []byte) (int, error)
	// Flush sends what was written.
	Flush() error
	// SetWriteDeadline makes writes fail after some time.
	SetWriteDeadline(t time.Time) error
}

// alone serves a stream until it ends.
func (s *Streams) alone(w http.ResponseWriter, r *http.Request, a *asked, way Way) error {
	ctx := r.Context()
	if !a.until.IsZero() {
		limited, end := context.WithDeadlineCause(ctx, a.until, access.ErrExpired)
		defer end()
		ctx = limited
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	leave, err := s.admit(r, cancel, a)
	if err != nil {
		return err
	}
	defer leave()
	follower, err := s.hub.Follow(a.places, maxPage)
	if err != nil {
		return err
	}
	defer follower.Close()
	follower.Hide()
	page, err := follower.Read(ctx)
	if page == nil {
		return err
	}
	if page.Gap != nil && page.Gap.Reason == history.Restarted {
		s.access.SlowRestart(r, s.responder.Log)
	}
	l := &solo{streams: s, way: way, address: s.access.Source.Of(r), cancel: cancel, until: time.UnixMilli(s.until())}
	s.opened(l)
	defer s.closed(l)
	conversation, err := l.open(w, a)
	if err != nil {
		return err
	}
	defer l.release()
	if first := append([]byte(nil), l.way.first(page)...); !l.write(append(first, l.encode(follower, page)...)) {
		l.hangUp()
		return web.ErrAnswered
	}
	var talks sync.WaitGroup
	defer talks.Wait()
	talks.Go(conversation) // the first page comes before any answer
	l.follow(ctx, follower, page.Cursors)
	return web.ErrAnswered
}

// open sends the head. A WebSocket is taken over. What is returned reads what its client
// says until it ends.
func (l *solo) open(w http.ResponseWriter, a *asked) (conversation func(), err error) {
	if !l.way.talks() {
		l.out = response{w, http.NewResponseController(w)}
		l.setInterrupt(l.endWrite)
		w.WriteHeader(l.way.status())
		return func() {}, nil
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	l.out = taken{conn}
	l.setInterrupt(l.endWrite)
	l.talk = newTalk(l.streams, a, l)
	_, err = conn.Write(headOf(w.Header(), l.way.status()))
	if err != nil {
		_ = conn.Close()
		return nil, web.ErrAnswered
	}
	return func() { l.talk.readFrom(buffered) }, nil
}

// follow writes what comes after some places until the stream ends. At each tick it looks
// whether the stream is over its time, also if messages come all the while.
func (l *solo) follow(ctx context.Context, follower *hub.Follower, at []history.Cursor) {
	defer l.hangUp()
	for ticked, quiet := time.Now(), true; ; {
		follower.SetTimeout(max(l.streams.tick-time.Since(ticked), 1))
		page, err := follower.Next(ctx)
		why := l.ends(ctx, err)
		var beat []byte
		if time.Since(ticked) >= l.streams.tick {
			if why == nil {
				why = l.due()
			}
			beat = l.beat(quiet)
			ticked, quiet = time.Now(), true
		}
		switch {
		case why != nil:
			l.write(l.way.last(why, at))
			return
		case errors.Is(err, context.Canceled):
			return
		}
		quiet = quiet && !page.HasNews()
		if b := append(l.encode(follower, page), beat...); !l.write(b) {
			return
		}
		at = page.Cursors
	}
}

// encode returns what is written for a page that the follower has returned last; it may
// cut it.
func (l *solo) encode(follower *hub.Follower, page *hub.Page) []byte {
	if !page.HasNews() {
		return nil
	}
	follower.Cut(page, maxBytes)
	if !l.streams.hasRoom(l.address, page.Size()) {
		follower.Cut(page, access.SmallAnswer)
	}
	l.streams.metrics.DeliverTo(page, 1)
	return slices.Clip(l.way.page(page))
}

// beat is what is written at a tick. A client that can talk is asked whether it is there
// also if it is given messages.
func (l *solo) beat(quiet bool) []byte {
	if l.talk != nil || quiet && !l.streams.silent {
		return l.way.heartbeat()
	}
	return nil
}

// due tells why the stream is to end at a tick, nil if it is not.
func (l *solo) due() *farewell {
	switch {
	case time.Now().After(l.until):
		return overAge
	case l.talk != nil && l.talk.isSilent():
		return silent
	}
	return nil
}

// ends tells why a stream ends after its follower has returned an error.
func (l *solo) ends(ctx context.Context, err error) *farewell {
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, web.ErrDraining) || errors.Is(err, hub.ErrClosed):
		return drained
	case errors.Is(err, hub.ErrTimeout):
		return nil
	case errors.Is(context.Cause(ctx), access.ErrExpired):
		return expired
	case ctx.Err() != nil:
		return notAllowed(context.Cause(ctx))
	}
	return outOfReach
}

// write writes, if the client reads. It returns false if it does not, or if there is no
// room for what its address has not read.
func (l *solo) write(b []byte) bool {
	giveBack, ok := l.streams.hold(l.address, b)
	defer giveBack()
	if !ok || len(b) == 0 {
		return ok
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(b) > 0 {
		if l.over.Load() {
			return false
		}
		n := min(len(b), pieceBytes)
		_ = l.out.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := l.out.Write(b[:n]); err != nil {
			return false
		}
		b = b[n:]
	}
	return l.out.Flush() == nil
}

// writeTimeout is how long a client has to read a piece.
const writeTimeout = 20 * time.Second

func (l *solo) ended() bool { return l.over.Load() }

func (l *solo) release() {
	l.setInterrupt(nil)
	if l.over.Store(true); l.talk != nil {
		l.talk.release()
	}
}

func (l *solo) send(b []byte) {
	if !l.write(b) {
		l.close()
	}
}

func (l *solo) dismiss(why *farewell) {
	l.write(l.way.last(why, nil))
	l.close()
}

func (l *solo) close() {
	l.over.Store(true)
	l.cancel(nil)
	l.interruptMu.Lock()
	defer l.interruptMu.Unlock()
	if l.interrupt != nil {
		l.interrupt()
	}
}

// setInterrupt sets what close calls. A drain may call that at any time, and nobody may
// use a ResponseWriter when its handler has returned.
func (l *solo) setInterrupt(interrupt func()) {
	l.interruptMu.Lock()
	defer l.interruptMu.Unlock()
	l.interrupt = interrupt
}

func (l *solo) endWrite() { _ = l.out.SetWriteDeadline(time.Now()) }

// hangUp closes a connection that was taken over.
func (l *solo) hangUp() {
	if c, is := l.out.(taken); is {
		_ = c.Close()
	}
}

// response is the output of what is no WebSocket.
type response struct {
	http.ResponseWriter
	*http.ResponseController
}

// taken is the output of a WebSocket.
type taken struct{ net.Conn }

func (taken) Flush() error { return nil }
