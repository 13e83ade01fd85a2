package stream

import (
	"context"
	"errors"
	"net"
	"net/http"
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
	out     output
	cancel  context.CancelCauseFunc
	until   time.Time
	talk    *talk // nil if the client cannot talk

	mu   sync.Mutex // held while something is written
	over atomic.Bool
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
	leave, err := s.access.AdmitStream(r, cancel, a.channels)
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
	l := &solo{streams: s, way: way, cancel: cancel, until: time.Unix(s.until(), 0)}
	s.opened(l)
	defer s.closed(l)
	talks, err := l.open(w, a)
	if err != nil {
		return err
	}
	defer l.release()
	defer talks.Wait()
	l.follow(ctx, follower, page)
	return web.ErrAnswered
}

// open sends the head. A WebSocket is taken over, and read until it ends: the group that is
// returned is for that.
func (l *solo) open(w http.ResponseWriter, a *asked) (*sync.WaitGroup, error) {
	talks := new(sync.WaitGroup)
	if !l.way.talks() {
		l.out = response{w, http.NewResponseController(w)}
		w.WriteHeader(l.way.status())
		return talks, nil
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	l.out = taken{conn}
	l.talk = newTalk(l.streams, a, l)
	_, err = conn.Write(headOf(w.Header(), l.way.status()))
	if err != nil {
		_ = conn.Close()
		return nil, web.ErrAnswered
	}
	talks.Go(func() { l.talk.readFrom(buffered) })
	return talks, nil
}

// follow writes pages until the stream ends.
func (l *solo) follow(ctx context.Context, follower *hub.Follower, page *hub.Page) {
	defer l.hangUp()
	b := append([]byte(nil), l.way.first(page)...)
	for at := page.Cursors; ; at = page.Cursors {
		if page.HasNews() {
			follower.Cut(page, maxBytes)
			l.streams.metrics.DeliverTo(page, 1)
			b = append(b, l.way.page(page)...)
		}
		if !l.write(b) {
			return
		}
		follower.SetTimeout(l.streams.tick)
		var err error
		page, err = follower.Next(ctx)
		switch why := l.ends(ctx, err); {
		case why != nil:
			l.write(l.way.last(why, at))
			return
		case errors.Is(err, context.Canceled):
			return
		case err == nil:
			b = nil
		case l.streams.silent && !l.way.talks():
			b = nil
		default:
			b = l.way.heartbeat()
		}
	}
}

// ends tells why a stream ends after its follower has returned an error.
func (l *solo) ends(ctx context.Context, err error) *farewell {
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, web.ErrDraining) || errors.Is(err, hub.ErrClosed):
		return drained
	case errors.Is(err, hub.ErrTimeout):
		if time.Now().After(l.until) {
			return overAge
		}
		if l.talk != nil && l.talk.isSilent() {
			return silent
		}
		return nil
	case errors.Is(context.Cause(ctx), access.ErrExpired):
		return expired
	case ctx.Err() != nil:
		return notAllowed(context.Cause(ctx))
	}
	return outOfReach
}

// write writes, if the client reads. It returns false if it does not.
func (l *solo) write(b []byte) bool {
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
	_ = l.out.SetWriteDeadline(time.Now())
}

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
