// Package stream has the endpoints whose answers do not end: Server-Sent Events, WebSocket
// and lines of JSON. Like a poll, a stream reads the log from a place on. Each message comes
// with the cursor after it. So a client whose stream ends can go on from there, in any way.
//
// Streams that are up to date form a [crowd.Crowd] for their channels and way. Its goroutine
// writes to each connection without waiting. A stream that is not up to date has a goroutine
// of its own until it is: see member.go.
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
	maxPage  = 256           // messages of a page at most
	maxBytes = hub.PageBytes // bytes of a page at most, unless it has a single message

	// defaultTick is the tick when heartbeats are off.
	defaultTick = 20 * time.Second

	// gather is how old the first message of a page may become in a flood while the crowd
	// waits for more. It is less than for polls, because an answer costs far more than a
	// write.
	gather = 2 * time.Millisecond
)

// Streams answers streams in any [Way]. Make it with [New], and end it with Drain before the
// hub's bus is closed. Its methods are safe for concurrent use.
type Streams struct {
	hub       *hub.Hub
	access    *access.Control
	responder *web.Responder
	metrics   *observe.Metrics
	posts     *post.Publisher
	presence  *presence.Presence
	crowds    *crowd.Crowds
	kinds     map[Way]*crowd.Kind

	tick     time.Duration // how often a silent stream is sent a heartbeat, and lifetimes are checked
	silent   bool          // no heartbeats are sent, except pings
	lifetime time.Duration // 0 is no end

	mu   sync.Mutex // guards the fields below; no other lock is taken under it
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
	for _, way := range []Way{events{}, ndjson{}, webSocket{}} {
		all.kinds[way] = all.kind(way)
	}
	return all
}

// kind returns the kind of the crowds of a way.
func (s *Streams) kind(way Way) *crowd.Kind {
	return &crowd.Kind{
		Limit: maxPage, Bytes: maxBytes, Gather: gather, Tick: s.tick,
		Encode: way.page, Count: s.metrics.DeliverTo,
	}
}

// Stream answers a request for a stream of the named channels. It answers errors, too.
func (s *Streams) Stream(w http.ResponseWriter, r *http.Request, names string, way Way) {
	if err := s.stream(w, r, names, way); err != nil && !errors.Is(err, web.ErrAnswered) {
		way.refuse(s.responder, w, r, err)
	}
}

// stream returns when the stream has ended, or does not need this goroutine any more.
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

// Drain ends all streams, after what was published before: their clients go on elsewhere, or
// here when the server is back. New streams end in the same way. Drain returns when no stream
// is open. When ctx ends first, it cuts off the rest.
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

// checkNone tells Drain if no stream is open. mu is held.
func (s *Streams) checkNone() {
	if s.none != nil && len(s.open) == 0 {
		select {
		case <-s.none:
		default:
			close(s.none)
		}
	}
}

// until returns when a stream that begins now is to end, zero for never. The lifetime varies
// by a fifth, so that streams that began together do not come back together.
func (s *Streams) until() time.Time {
	if s.lifetime == 0 {
		return time.Time{}
	}
	return time.Now().Add(jitter(s.lifetime, 0.2))
}
