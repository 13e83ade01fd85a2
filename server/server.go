// Package server puts pubsub together.
//
// routes.go has every URL: begin there. A post goes to package post, which reads it, and on
// to package hub. The hub appends the message to the log (package history) and rings for it
// (package bus). Package poll waits, in the hub or in a crowd (package crowd), and answers
// with the message. Its file original.go has the endpoints of the Python original.
//
// Package access admits requests. Package conns has the connections, package web the HTTP
// that all endpoints share, and package observe the metrics and health checks.
package server

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/certs"
	"pubsub/server/conns"
	"pubsub/server/post"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// Server is a whole server. It is an http.Handler for all routes. Make it with [New], and
// close it after the last request.
type Server struct {
	*parts
	router router
	certs  *certs.Source // nil without TLS
}

// New returns a server with settings that [settings.Load] has checked. It serves the files of
// static, and the template index.html of templates as the chat page. If log has a
// [asynclog.Handler], the metrics show how many lines it drops. The errors are about files, keys,
// the log of messages or the bus.
func New(set settings.Settings, static, templates fs.FS, log *slog.Logger) (*Server, error) {
	p, err := newParts(set, static, templates, log)
	if err != nil {
		return nil, err
	}
	source, err := certs.New(&p.settings, log)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return &Server{p, p.routes(), source}, nil
}

// Routes returns every URL of the server except static files, with its method, such as "GET
// /sub/:channel".
func (s *Server) Routes() []string { return *s.router.routes }

// How long a client may take. post.BodyTimeout bounds sending a body, and package conns
// bounds reading an answer.
const (
	headerTimeout = 10 * time.Second // to send the header of a request
	idleTimeout   = 2 * time.Minute  // between requests; longer than the 90 s of Heroku's router
)

// ServeHTTP implements http.Handler. Thousands of requests may wait in it, and the stack of
// each takes memory.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.responder.Logs(w, r) {
		s.responder.ServeLogged(s, w, r)
		return
	}
	defer s.responder.Recovered(w, r)
	address := s.access.Source.Of(r)
	counted, err := s.access.EnterRequest(r, address)
	if !counted {
		s.responder.Cut(w, r, err)
		return
	}
	defer s.access.LeaveRequest(address)
	s.conns.CountForClient(r, address)
	defer s.conns.CountForPeer(r)
	if err != nil {
		s.responder.Error(w, r, err)
		return
	}
	if answered := s.receive(w, r, address); answered {
		return
	}
	s.route(w, r)
}

// route calls the handler of a request.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	if handle, params := s.router.find(r); handle != nil {
		handle(s.compressor.For(web.WithDeadline(w, r), r), r, params)
		return
	}
	s.router.ServeHTTP(w, r)
}

// transportSecurity makes browsers use HTTPS only, for a year.
var transportSecurity = []string{"max-age=31536000"}

// receive does what all requests have in common. If answered is true, no handler may handle
// the request.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, address netip.Addr) (answered bool) {
	conns.MarkHandled(r)
	if r.TLS != nil {
		w.Header()["Strict-Transport-Security"] = transportSecurity
	}
	if err := s.access.Pace(r, address); err != nil { // may wait, so before the deadline of the body is set
		s.responder.Error(w, r, err)
		return true
	}
	conns.RefundFrame(r)
	if r.ContentLength != 0 {
		// The deadline also bounds a body that no handler reads: net/http reads it to its end,
		// and then removes the deadline. A test's ResponseRecorder has no deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(post.BodyTimeout))
	}
	return s.guard.Receive(w, r)
}

// Serve answers on l, and on admin for operators, until ctx ends and the drain delay is over.
// admin may be nil. Then the server drains, see drain.go, and Serve returns nil. It returns an error only if l fails.
// Serve closes the listeners. Call it once.
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
	if s.certs != nil {
		front.TLSConfig = s.certs.Config()
	}
	l = s.conns.Prepare(front, l)
	defer s.conns.Close()
	if admin != nil {
		defer s.serveAdmin(admin, front.ErrorLog)()
	}
	var upkeep sync.WaitGroup
	upkeep.Go(func() { s.upkeep(requests) })
	upkeep.Go(func() { s.store.run(requests) })
	upkeep.Go(func() { s.presence.Run(requests) })
	defer func() { endPolls(nil); upkeep.Wait() }()
	served := make(chan error, 1)
	go func() { served <- s.serve(front, l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	if err := s.delayDrain(served); err != nil {
		return err
	}
	s.drain(front, endPolls)
	<-served
	return nil
}

// serve serves, with TLS if there are certificates.
func (s *Server) serve(front *http.Server, l net.Listener) error {
	if s.certs == nil {
		return front.Serve(l)
	}
	return front.ServeTLS(l, "", "")
}

// Redirect redirects plain HTTP on l to HTTPS at an address, until ctx ends. It closes l.
// Call it only with TLS.
func (s *Server) Redirect(ctx context.Context, l net.Listener, to net.Addr) {
	plain := &http.Server{
		Handler: s.certs.Plain(to), ReadTimeout: headerTimeout, WriteTimeout: headerTimeout, MaxHeaderBytes: conns.MaxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	context.AfterFunc(ctx, func() { _ = plain.Close() })
	if err := plain.Serve(s.conns.Limit(l)); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("plain HTTP is not answered any more", "error", err)
	}
}

// serveAdmin answers on the admin address until end is called, which closes the listener.
func (s *Server) serveAdmin(admin net.Listener, errorLog *log.Logger) (end func()) {
	aside := &http.Server{Handler: s.adminRoutes(), ReadHeaderTimeout: headerTimeout, ErrorLog: errorLog}
	ended := make(chan error, 1)
	go func() { ended <- aside.Serve(admin) }()
	return func() { _ = aside.Close(); <-ended }
}
