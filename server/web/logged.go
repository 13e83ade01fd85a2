package web

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"
)

// logged is an answer of which a debug line will tell.
type logged struct {
	http.ResponseWriter
	by      *Responder
	request *http.Request
	began   time.Time
	status  int
	bytes   int
}

// Logs tells whether there is a debug line for each request.
func (p *Responder) Logs(w http.ResponseWriter, r *http.Request) bool {
	_, already := w.(*logged)
	return !already && p.Log.Enabled(r.Context(), slog.LevelDebug)
}

// ServeLogged has a request served and writes a debug line about it, with an id also
// where it has none.
func (p *Responder) ServeLogged(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if requestID(r) == nil {
		r.Header["X-Request-Id"] = []string{rand.Text()[:8]}
	}
	l := &logged{ResponseWriter: w, by: p, request: r, began: time.Now()}
	defer l.log()
	next.ServeHTTP(l, r)
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
	l.by.Log.Debug("request", append([]any{"method", r.Method, "path", r.URL.Path, "status", l.status,
		"duration", time.Since(l.began), "bytes", l.bytes, "address", l.by.Source.Of(r)}, idOf(r)...)...)
}
