package web

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"

	"pubsub/server/logs"
)

var errPanic = errors.New("a handler panicked")

// Recovered, deferred, answers for a handler that panicked, or ends the connection where the
// answer had begun.
func (p *Responder) Recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	p.Refusals.CountPanic()
	p.Log.Error("a handler panicked", append([]any{"panic", cause, "method", r.Method, "path", r.URL.Path,
		"address", p.Source.Of(r), logs.Stack, string(debug.Stack())}, idOf(r)...)...)
	if begun(w.Header()) {
		p.Refusals.Count(reasons[http.StatusInternalServerError], slog.LevelError)
		panic(http.ErrAbortHandler)
	}
	p.Error(w, r, errPanic)
}
