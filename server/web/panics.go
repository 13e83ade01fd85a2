package web

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"

	"pubsub/server/asynclog"
)

// ErrPanic is answered with a 500. The panic was logged already.
var ErrPanic = errors.New("a handler panicked")

// Recovered is to be deferred around a handler. If the handler panics, Recovered logs the
// stack, counts the panic, and answers with a 500. If the answer has begun, Recovered closes
// the connection instead. It passes http.ErrAbortHandler on.
func (p *Responder) Recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	p.Panicked(r, cause)
	if begun(w.Header()) {
		p.Refusals.Count(reasons[http.StatusInternalServerError], slog.LevelError)
		panic(http.ErrAbortHandler)
	}
	p.Error(w, r, ErrPanic)
}

// PanickedAside is Panicked for work that is shared by many requests. The attributes name
// them in the log.
func (p *Responder) PanickedAside(cause any, attributes ...any) {
	p.Refusals.CountPanic()
	p.Log.Error("what serves many clients together panicked, so they come anew", append(attributes, "panic", cause, asynclog.Stack, string(debug.Stack()))...)
}

// Panicked counts a panic while a request was served, and logs the stack. Call it in the
// deferred function that has recovered.
func (p *Responder) Panicked(r *http.Request, cause any) {
	p.Refusals.CountPanic()
	p.Log.Error("a handler panicked", append([]any{"panic", cause, "method", r.Method, "path", r.URL.Path,
		"address", p.Source.Of(r), asynclog.Stack, string(debug.Stack())}, idOf(r)...)...)
}
