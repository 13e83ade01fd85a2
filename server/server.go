// Package server is the HTTP side of pubsub.
//
// To read it: routes.go has every URL. original.go is the Python original and
// shows a message's whole way; cursor.go, event.go, api.go and chat.go are
// further ways to the same hub. What they share: input.go reads what was
// posted, publish.go publishes it, poll.go waits, respond.go answers, places.go,
// transcript.go and channels.go know who had what. Around
// them stand listen.go, listener.go, connections.go, unhandled.go, requests.go,
// hosts.go, origins.go, limits.go (polls, rates, unread), refusals.go, metrics.go,
// drain.go and upkeep.go. What
// can be set is in config.go; load.go reads it.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"pubsub/server/address"
	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
	"pubsub/server/logs"
	"pubsub/server/settings"
)

// Server answers every route. Close it after the last request.
type Server struct {
	config settings.Settings
	log    *slog.Logger
	bus    *bus.Bus
	memory *memory.Log
	hub    *hub.Hub
	assets *assets
	places *places

	transcripts *transcripts

	limits  *limits
	origins *origins
	hosts   hosts
	metrics *metrics
	posts   posts

	connections *connections

	refusals  refusals
	forwarded sync.Once // warns
	strangers occasion  // to warn of cursors of another process
	router    router
}

// New makes a server that serves the files of static, and the template
// index.html of templates as its page. If log has a [logs.Handler], the lines
// that it drops are among the metrics.
func New(config settings.Settings, static, templates fs.FS, log *slog.Logger) (*Server, error) {
	assets, err := loadAssets(static, templates)
	if err != nil {
		return nil, err
	}
	b, err := bus.New(bus.Options{})
	if err != nil {
		return nil, fmt.Errorf("start the message bus: %w", err)
	}
	s := &Server{
		config: config,
		log:    log,
		bus:    b,
		assets: assets,
		places: newPlaces(address.Source{TrustedHops: config.TrustedHops}),
	}
	s.limits = newLimits(&s.config)
	s.memory = memory.New(s.historyOptions())
	s.hub = hub.New(b, s.memory)
	s.transcripts = newTranscripts(s.hub)
	s.origins = newOrigins(config.AllowedOrigins)
	s.hosts = newHosts(config.AllowedHosts)
	s.refusals.log = log
	s.metrics = newMetrics(s.hub, s.memory, b)
	s.connections = newConnections(&s.config)
	s.metrics.registry.MustRegister(s.connections.gauge())
	if h, ok := log.Handler().(*logs.Handler); ok {
		s.metrics.countDroppedLines(h)
	}
	s.router = s.routes()
	return s, nil
}

// maxBytesPerOwner is how much of the log one network may fill.
const maxBytesPerOwner = 16 << 20

func (s *Server) historyOptions() history.Options {
	return history.Options{
		Messages:         s.config.HistoryMessages,
		Age:              s.config.HistoryAge,
		Bytes:            s.config.HistoryBytes,
		BytesPerOwner:    min(s.config.HistoryBytes, maxBytesPerOwner),
		Channels:         s.config.MaxChannels,
		ChannelsPerOwner: s.config.MaxChannelsPerAddress,
		Home:             defaultChannel,
		Waited:           s.limits.waited,
	}
}

// Close gives back what New took.
func (s *Server) Close() error {
	s.refusals.Close()
	return errors.Join(s.bus.Close(), s.memory.Close())
}

const maxHeader = 16 << 10 // bytes; net/http takes 4,096 more

// What a client may take for its part. A poll's wait is not among it.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 10 * time.Second
	writeTimeout  = 20 * time.Second // at least, to take a part of an answer in; see conn
	idleTimeout   = 2 * time.Minute  // longer than a router keeps its end: Heroku's does for 90 s
)

// ServeHTTP implements http.Handler. Thousands of requests wait in it at a time,
// so what it has on its stack counts.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, is := w.(*logged); !is && s.log.Enabled(r.Context(), slog.LevelDebug) {
		s.serveLogged(w, r)
		return
	}
	defer s.recovered(w, r)
	if answered := s.receive(w, r); answered {
		return
	}
	if handle, params := s.router.find(r); handle != nil {
		handle(w, r, params)
		return
	}
	s.router.ServeHTTP(w, r)
}

// receive does what is the same for every request, and answers those that no
// handler is to see.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (answered bool) {
	if c := connOf(r); c != nil {
		c.handled.Store(true)
	}
	s.limits.pace(r) // before the time for a body begins
	if r.Body != http.NoBody {
		// Also for a body that no handler reads: net/http reads it to its end.
		// It takes the deadline back when that comes. A recorder has none.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	if id := requestID(r); id != nil {
		w.Header()["X-Request-Id"] = id
	}
	if r.URL.Path == "" { // of http://host
		r.URL.Path = "/"
	}
	if s.config.TrustedHops == 0 && len(r.Header["X-Forwarded-For"]) > 0 {
		s.forwarded.Do(s.warnOfForwarded)
	}
	answered, err := s.admit(w, r)
	if err != nil {
		s.answerError(w, r, err)
		return true
	}
	return answered
}

// admit refuses what comes for another host, or from a page of another origin.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	if err := s.hosts.check(r); err != nil {
		return false, err
	}
	return s.origins.check(w, r)
}

func (s *Server) warnOfForwarded() {
	s.log.Warn("requests come through a proxy whose X-Forwarded-For is not believed, so all of its clients count as one address: " +
		"if it is yours, set trusted-hops to the number of proxies in front, such as PUBSUB_TRUSTED_HOPS=1")
}

// Serve answers on l, and on admin what is only for those who run the server if
// that is not nil, until ctx ends. Then it drains: see drain.go.
func (s *Server) Serve(ctx context.Context, l, admin net.Listener) error {
	hangups, err := watchHangups(l)
	if err != nil {
		s.log.Warn("hang-ups cannot be watched for with epoll, so each poll takes a goroutine more", "error", err)
	}
	defer hangups.Close()
	if err := boundSendBuffers(l); err != nil {
		s.log.Warn("send buffers keep the system's size, so the kernel may hold megabytes for each client that does not read", "error", err)
	}
	requests, endPolls := context.WithCancelCause(context.WithoutCancel(ctx))
	var newcomers newcomers
	web := &http.Server{
		Handler:     s,
		BaseContext: func(net.Listener) context.Context { return requests },
		ConnContext: hangups.connContext,
		ConnState: func(c net.Conn, state http.ConnState) {
			c.(*conn).track(state)
			newcomers.track(c, state)
		},
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	if admin != nil {
		aside := &http.Server{Handler: s.adminRoutes(), ReadHeaderTimeout: headerTimeout, ErrorLog: web.ErrorLog}
		ended := make(chan error, 1)
		go func() { ended <- aside.Serve(admin) }()
		defer func() { _ = aside.Close(); <-ended }()
	}
	var upkeep sync.WaitGroup
	upkeep.Go(func() { s.upkeep(requests) })
	defer func() { endPolls(nil); upkeep.Wait() }()
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener{l, s, new(time.Time)}) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.drain(web, endPolls, &newcomers)
	<-served
	return nil
}
