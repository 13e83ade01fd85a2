// Package server puts the parts of pubsub together.
//
// To read it: routes.go has every URL. A message's way goes from there through post,
// which reads it, to hub, which has history keep it and bus ring for it; and back from
// hub through poll, which waits for it. original.go in poll is the Python original.
// Around them stand access, which is asked first, conns and web, which have the manners
// of connections and of HTTP, and observe, which tells of it all.
package server

import (
	"context"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"pubsub/server/conns"
	"pubsub/server/post"
	"pubsub/server/settings"
)

// Server answers every route. Close it after the last request.
type Server struct {
	*parts
	router router
}

// New makes a server that serves the files of static, and the template
// index.html of templates as its page. If log has a [logs.Handler], the lines
// that it drops are among the metrics.
func New(set settings.Settings, static, templates fs.FS, log *slog.Logger) (*Server, error) {
	p, err := newParts(set, static, templates, log)
	if err != nil {
		return nil, err
	}
	return &Server{p, p.routes()}, nil
}

// What a client may take for its part. A poll's wait is not among it, nor what it takes
// to send a body and to take an answer in: see post and conns.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute // longer than a router keeps its end: Heroku's does for 90 s
)

// ServeHTTP implements http.Handler. Thousands of requests wait in it at a time,
// so what it has on its stack counts.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.responder.Logs(w, r) {
		s.responder.ServeLogged(s, w, r)
		return
	}
	defer s.responder.Recovered(w, r)
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
	conns.Handling(r)
	s.access.Pace(r) // before the time for a body begins
	if r.Body != http.NoBody {
		// Also for a body that no handler reads: net/http reads it to its end.
		// It takes the deadline back when that comes. A recorder has none.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(post.BodyTimeout))
	}
	return s.door.Receive(w, r)
}

// Serve answers on l, and on admin what is only for those who run the server if
// that is not nil, until ctx ends. Then it drains: see drain.go.
func (s *Server) Serve(ctx context.Context, l, admin net.Listener) error {
	requests, endPolls := context.WithCancelCause(context.WithoutCancel(ctx))
	front := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    conns.MaxHeader,
	}
	l = s.conns.Prepare(front, l)
	defer s.conns.Close()
	if admin != nil {
		defer s.serveAdmin(admin, front.ErrorLog)()
	}
	var upkeep sync.WaitGroup
	upkeep.Go(func() { s.upkeep(requests) })
	defer func() { endPolls(nil); upkeep.Wait() }()
	served := make(chan error, 1)
	go func() { served <- front.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.drain(front, endPolls)
	<-served
	return nil
}

// serveAdmin answers on admin until end is called.
func (s *Server) serveAdmin(admin net.Listener, errorLog *log.Logger) (end func()) {
	aside := &http.Server{Handler: s.adminRoutes(), ReadHeaderTimeout: headerTimeout, ErrorLog: errorLog}
	ended := make(chan error, 1)
	go func() { ended <- aside.Serve(admin) }()
	return func() { _ = aside.Close(); <-ended }
}
