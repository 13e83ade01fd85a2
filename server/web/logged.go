package server

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"pubsub/server/logs"
)

// requestID is the X-Request-ID that a client or a proxy gave a request, nil if
// that is none that can be shown. It goes into the answer and into log lines.
func requestID(r *http.Request) []string {
	id := r.Header["X-Request-Id"]
	if len(id) != 1 || len(id[0]) < 1 || len(id[0]) > 64 {
		return nil
	}
	for _, c := range []byte(id[0]) {
		if c <= ' ' || '~' < c {
			return nil
		}
	}
	return id
}

// idOf is a request's id as an attribute of a log line.
func idOf(r *http.Request) []any {
	if id := requestID(r); id != nil {
		return []any{"id", id[0]}
	}
	return nil
}

// logged is an answer of which a debug line will tell.
type logged struct {
	http.ResponseWriter
	server  *Server
	request *http.Request
	began   time.Time
	status  int
	bytes   int
}

// serveLogged serves a request and writes a debug line about it, with an id also
// where it has none.
func (s *Server) serveLogged(w http.ResponseWriter, r *http.Request) {
	if requestID(r) == nil {
		r.Header["X-Request-Id"] = []string{rand.Text()[:8]}
	}
	l := &logged{ResponseWriter: w, server: s, request: r, began: time.Now()}
	defer l.log()
	s.ServeHTTP(l, r)
}

// Unwrap is for http.ResponseController.
func (l *logged) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *logged) WriteHeader(status int) {
	l.status = status
	l.ResponseWriter.WriteHeader(status)
}

func (l *logged) Write(b []byte) (int, error) {
	if l.status == 0 {
		l.status = http.StatusOK
	}
	n, err := l.ResponseWriter.Write(b)
	l.bytes += n
	return n, err
}

// log writes the line. A status of 0 is a client that got no answer.
func (l *logged) log() {
	r := l.request
	l.server.log.Debug("request", append([]any{"method", r.Method, "path", r.URL.Path, "status", l.status,
		"duration", time.Since(l.began), "bytes", l.bytes, "address", l.server.limits.Of(r)}, idOf(r)...)...)
}

var errPanic = errors.New("a handler panicked")

// recovered answers for a handler that panicked, or ends the connection where the
// answer had begun.
func (s *Server) recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.metrics.panics.Inc()
	s.log.Error("a handler panicked", append([]any{"panic", cause, "method", r.Method, "path", r.URL.Path,
		"address", s.limits.Of(r), logs.Stack, string(debug.Stack())}, idOf(r)...)...)
	if begun(w.Header()) {
		s.countRefusal(&problem{status: http.StatusInternalServerError}, slog.LevelError)
		panic(http.ErrAbortHandler)
	}
	s.answerError(w, r, errPanic)
}
