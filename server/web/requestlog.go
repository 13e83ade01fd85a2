package web

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"
)

// requestLog is a ResponseWriter that remembers what the debug line needs.
type requestLog struct {
	http.ResponseWriter
	by      *Responder
	request *http.Request
	began   time.Time
	status  int
	bytes   int
}

// Logs tells whether to serve a request by [Responder.ServeLogged]. It returns false within
// ServeLogged.
func (p *Responder) Logs(w http.ResponseWriter, r *http.Request) bool {
	_, already := w.(*requestLog)
	return !already && p.Log.Enabled(r.Context(), slog.LevelDebug)
}

// ServeLogged calls next, and logs a debug line when the request ends. A request without an
// id gets one.
func (p *Responder) ServeLogged(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if requestID(r) == nil {
		r.Header["X-Request-Id"] = []string{rand.Text()[:8]}
	}
	l := &requestLog{ResponseWriter: w, by: p, request: r, began: time.Now()}
	defer l.log()
	next.ServeHTTP(l, r)
}

// Unwrap is called by http.ResponseController.
func (l *requestLog) Unwrap() http.ResponseWriter { return l.ResponseWriter }

func (l *requestLog) WriteHeader(status int) {
	l.status = status
	l.ResponseWriter.WriteHeader(status)
}

func (l *requestLog) Write(b []byte) (int, error) {
	if l.status == 0 {
		l.status = http.StatusOK
	}
	n, err := l.ResponseWriter.Write(b)
	l.bytes += n
	return n, err
}

// log writes the line. A status of 0 means that the client got no answer.
func (l *requestLog) log() {
	r := l.request
	l.by.Log.Debug("request", append([]any{"method", r.Method, "path", r.URL.Path, "status", l.status,
		"duration", time.Since(l.began), "bytes", l.bytes, "address", l.by.Source.Of(r)}, idOf(r)...)...)
}
