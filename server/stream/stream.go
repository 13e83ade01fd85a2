// Package stream has the endpoints that answer on and on: Server-Sent Events, WebSocket
// and lines of JSON. A stream is a reader of the log, as a poll is: it begins at a place,
// and each message comes with the place behind it, so that a client whose stream ends goes
// on from there, in whatever way.
//
// Streams of the same channels and the same way that are up to date are a [crowd.Crowd],
// whose goroutine writes to each connection without waiting. A stream that is not up to date
// has a goroutine of its own until it is: see member.go.
package stream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"pubsub/server/access"
	"pubsub/server/crowd"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/post"
	"pubsub/server/presence"
	"pubsub/server/settings"
	"pubsub/server/web"
)

const (
	maxPage  = 256           // messages that are written at a time
	maxBytes = hub.PageBytes // of them, but for a single one

	// defaultTick is how often streams are looked at that are sent no heartbeats.
	defaultTick = 20 * time.Second

	// gather is how old the first message of a page may become in a flood while a crowd waits
	// for more. It is less than for polls, whose answers cost far more than a write.
	gather = 2 * time.Millisecond
)

// Streams answers streams in any [Way]. Its methods are safe for concurrent use. Make it
// with [New], and end it with Drain before the hub's bus is closed.
type Streams struct {
	hub       *hub.Hub
	access    *access.Control
	responder *web.Responder
	metrics   *observe.Metrics
	posts     *post.Publisher
	presence  *presence.Presence
	crowds    *crowd.Crowds
	kinds     map[Way]*crowd.Kind

	tick     time.Duration // how often a silent stream is written to
	silent   bool          // it is never
	lifetime time.Duration // 0 is no end

	mu   sync.Mutex // guards all below
	open map[*member]struct{}
	none chan struct{} // made by Drain; closed when no stream is open
}

// New returns streams with the heartbeat and the lifetime of the settings.
func New(s *settings.Settings, h *hub.Hub, control *access.Control, responder *web.Responder, metrics *observe.Metrics, posts *post.Publisher, here *presence.Presence) *Streams {
	all := &Streams{
		hub: h, access: control, responder: responder, metrics: metrics, posts: posts, presence: here,
		tick: s.Heartbeat, silent: s.Heartbeat == 0, lifetime: s.StreamLifetime,
		open: make(map[*member]struct{}), kinds: make(map[Way]*crowd.Kind),
	}
	if all.silent {
		all.tick = defaultTick
	}
	all.crowds = crowd.New(h, func(cause any, channels []string) { responder.PanickedAside(cause, "channels", channels) })
	for _, way := range []Way{events{}, lines{}, webSocket{}} {
		all.kinds[way] = all.kind(way)
	}
	return all
}

// kind is that of the crowds of a way.
func (s *Streams) kind(way Way) *crowd.Kind {
	return &crowd.Kind{
		Limit: maxPage, Bytes: maxBytes, Gather: gather, Tick: s.tick,
		Encode: way.page, Count: s.metrics.DeliverTo,
	}
}

// Stream answers a request for a stream of the named channels, and answers errors, too.
func (s *Streams) Stream(w http.ResponseWriter, r *http.Request, names string, way Way) {
	if err := s.stream(w, r, names, way); err != nil && !errors.Is(err, web.ErrAnswered) {
		way.refuse(s.responder, w, r, err)
	}
}

// stream returns when the stream has ended, or when it needs this goroutine no more.
func (s *Streams) stream(w http.ResponseWriter, r *http.Request, names string, way Way) error {
	a, err := s.ask(r, names)
	if err == nil {
		err = way.accept(w.Header(), r)
	}
	if err != nil {
		return err
	}
	return s.join(w, r, a, way)
}

// Open returns how many streams are open.
func (s *Streams) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// Drain gives every stream all that was published before, and ends it: its client goes on
// elsewhere, or here when the server is back. New streams are ended in the same way. It
// returns when none is open; when ctx ends, it cuts off those that are.
func (s *Streams) Drain(ctx context.Context) {
	s.crowds.Drain()
	s.mu.Lock()
	s.none = make(chan struct{})
	s.checkNone()
	s.mu.Unlock()
	select {
	case <-s.none:
	case <-ctx.Done():
		s.cutOff()
	}
}

func (s *Streams) cutOff() {
	s.mu.Lock()
	var left []*member
	for m := range s.open {
		left = append(left, m)
	}
	s.mu.Unlock()
	for _, m := range left {
		m.close()
	}
}

// opened counts a stream until closed is called for it.
func (s *Streams) opened(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[m] = struct{}{}
}

func (s *Streams) closed(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, m)
	s.checkNone()
}

// checkNone tells Drain when no stream is open. mu is held.
func (s *Streams) checkNone() {
	if s.none != nil && len(s.open) == 0 {
		select {
		case <-s.none:
		default:
			close(s.none)
		}
	}
}

// until is when a stream that begins now ends: after the lifetime, within a fifth, so that
// those that began together do not come back together. It is zero if streams have no end.
func (s *Streams) until() time.Time {
	if s.lifetime == 0 {
		return time.Time{}
	}
	return time.Now().Add(jitter(s.lifetime, 0.2))
}
