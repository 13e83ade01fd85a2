// Package web is the manners of HTTP that all ways in share: how an error becomes an
// answer, how answers are written, what a query is, who may ask from where, and the
// page's files.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"pubsub/server/address"
)

// Handler is an HTTP endpoint. It answers, or returns an error for [Responder.Error].
type Handler func(w http.ResponseWriter, r *http.Request) error

// Responder answers for handlers that do not, and logs what was asked. All fields must
// be set before the first request.
type Responder struct {
	Log      *slog.Logger
	Source   address.Source
	Refusals Refusals
	Draining func() bool // tells whether the server is about to stop
}

// Refusals counts what was refused.
type Refusals interface {
	// Count counts a refusal and tells whether it has a line in the log of its own.
	Count(reason string, level slog.Level) bool
	// CountPanic counts a handler that panicked.
	CountPanic()
}

// Handle makes an http.Handler.
func (p *Responder) Handle(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			p.Error(w, r, err)
		}
	}
}

// Error answers with a problem, counts it, and writes a line about it unless there are
// many. For a client that has hung up, or closed its half, it ends the connection: else
// net/http would answer with an empty 200.
func (p *Responder) Error(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrAnswered):
		return
	case errors.Is(err, context.Canceled):
		panic(http.ErrAbortHandler)
	}
	problem := problemOf(err)
	p.count(r, problem, err)
	if problem.Status == http.StatusTooManyRequests {
		Pause(r, tooManyPause)
	}
	p.Closing(w.Header())
	if problem.Close {
		w.Header()["Connection"] = Closed
	}
	if wait := problem.retryAfter(); wait != "" {
		w.Header().Set("Retry-After", wait)
	}
	_ = WriteBody(w, problem.Status, problem.body()) // nobody to tell if that fails
}

func (p *Responder) count(r *http.Request, problem *Problem, err error) {
	level := slog.LevelInfo
	switch {
	case problem.Status == http.StatusInternalServerError:
		level = slog.LevelError
	case problem == ErrDraining:
		level = slog.LevelDebug // all polls that wait end so
	}
	reason := problem.reason()
	if p.Refusals.Count(reason, level) {
		p.Log.Log(r.Context(), level, "refused", append([]any{"status", problem.Status, "reason", reason,
			"method", r.Method, "path", r.URL.Path, "address", p.Source.Of(r), "error", err}, idOf(r)...)...)
	}
}

// Turned counts a refusal that no handler saw, and writes a line about it unless there are
// many. It returns what to answer.
func (p *Responder) Turned(err error, from net.Addr) *Problem {
	problem := problemOf(err)
	reason := problem.reason()
	if p.Refusals.Count(reason, slog.LevelInfo) {
		p.Log.Info("refused", "status", problem.Status, "reason", reason, "address", from, "error", err)
	}
	return problem
}

// Closing tells a client that is answered in a drain to ask again on another
// connection, which the next server takes.
func (p *Responder) Closing(h http.Header) {
	if p.Draining() {
		h["Connection"] = Closed
	}
}

// tooManyPause is how late a client is told that it asks too often or too much: one
// that asks again at once, whatever Retry-After says, cannot keep a core busy with
// refusals.
const tooManyPause = 200 * time.Millisecond

// Pause lets a request wait, at most until the server drains. It ends the request if
// its client hangs up: one that sends ahead and closes its half would wait for nothing.
func Pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
		if context.Cause(r.Context()) != ErrDraining {
			panic(http.ErrAbortHandler)
		}
	}
}
