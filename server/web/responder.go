// Package web has the HTTP that all endpoints share: answers and errors, fields of queries,
// allowed hosts and origins, and the files of the chat page.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"pubsub/server/address"
	"pubsub/server/turn"
)

// Handler is an endpoint. It answers, or returns an error for [Responder.Error].
type Handler func(w http.ResponseWriter, r *http.Request) error

// Responder answers errors, and logs and counts them. All fields must be set before the first
// request. Then its methods are safe for concurrent use.
type Responder struct {
	Log      *slog.Logger
	Source   address.Source
	Refusals Refusals
	Draining func() bool // tells whether the server drains
}

// Refusals counts refused requests. Its methods are safe for concurrent use.
type Refusals interface {
	// Count counts a refusal, and tells whether to log this one.
	Count(reason string, level slog.Level) bool
	// CountPanic counts a panic.
	CountPanic()
}

// Handle makes an http.Handler of a [Handler].
func (p *Responder) Handle(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			p.Error(w, r, err)
		}
	}
}

// Error answers with the [Problem] of an error, counts it, and logs it unless there are too
// many. It does nothing for [ErrAnswered]. For context.Canceled it panics with
// http.ErrAbortHandler: the client has hung up or closed its half, and otherwise net/http
// would answer with an empty 200. A problem with status 429 is delayed.
func (p *Responder) Error(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, ErrAnswered) {
		p.Answer(w, r, p.ProblemFor(r, err))
	}
}

// ProblemFor is Error for a caller that writes the answer: it returns the [Problem]. The error
// must not be [ErrAnswered].
func (p *Responder) ProblemFor(r *http.Request, err error) *Problem {
	if errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler)
	}
	problem := problemOf(err)
	p.count(r, problem, err)
	if problem.Status == http.StatusTooManyRequests {
		Pause(r, tooManyPause)
	}
	return problem
}

// Cut is Error for a request that must end at once. With HTTP/2 there is no answer, as the
// client might not read it: Cut panics with http.ErrAbortHandler.
func (p *Responder) Cut(w http.ResponseWriter, r *http.Request, err error) {
	problem := *problemOf(err)
	p.count(r, &problem, err)
	if r.ProtoMajor >= 2 {
		panic(http.ErrAbortHandler)
	}
	problem.Close = true
	p.Answer(w, r, &problem)
}

// Answer answers with a [Problem]. A browser that shows the answer gets a page.
func (p *Responder) Answer(w http.ResponseWriter, r *http.Request, problem *Problem) {
	p.Closing(w.Header())
	if problem.Close {
		w.Header()["Connection"] = Closed
	}
	if problem.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set(errorHeader, problem.reason())
	if wait := problem.retryAfter(); wait != "" {
		w.Header().Set("Retry-After", wait)
	}
	if WantsPage(r) {
		writeProblemPage(w, problem)
		return
	}
	_ = WriteBody(w, problem.Status, problem.body()) // if it fails, nobody can be told
}

func (p *Responder) count(r *http.Request, problem *Problem, err error) {
	level := slog.LevelInfo
	switch {
	case problem.Status == http.StatusInternalServerError:
		level = slog.LevelError
	case problem.Reason == historyFull:
		level = slog.LevelWarn // whoever runs the server has to make room
	case problem == ErrDraining:
		level = slog.LevelDebug // a drain ends every pending poll with it
	}
	reason := problem.reason()
	if p.Refusals.Count(reason, level) {
		p.Log.Log(r.Context(), level, "refused", append([]any{"status", problem.Status, "reason", reason,
			"method", r.Method, "path", r.URL.Path, "address", p.Source.Of(r), "error", err}, idOf(r)...)...)
	}
}

// ProblemForConn is Error for a connection without a handler. It returns the [Problem], which the
// caller writes: see [Problem.Response].
func (p *Responder) ProblemForConn(err error, from net.Addr) *Problem {
	problem := problemOf(err)
	reason := problem.reason()
	if p.Refusals.Count(reason, slog.LevelInfo) {
		p.Log.Info("refused", "status", problem.Status, "reason", reason, "address", from, "error", err)
	}
	return problem
}

// Closing makes an answer close its connection if the server drains, so that the client
// connects to another server. It is not used for messages of a plain /sub, because only this
// server remembers where its client is.
func (p *Responder) Closing(h http.Header) {
	if p.Draining() {
		h["Connection"] = Closed
	}
}

// tooManyPause delays an answer with status 429. Otherwise a client that asks again at once,
// despite Retry-After, would keep a core busy.
const tooManyPause = 200 * time.Millisecond

// Pause makes a request wait, but not longer than until the server drains. It panics with
// http.ErrAbortHandler if the client hangs up or closes its half, as nobody waits for the
// answer then.
func Pause(r *http.Request, d time.Duration) {
	turn.HandOn(r.Context())
	select {
	case <-time.After(d):
	case <-r.Context().Done():
		if context.Cause(r.Context()) != ErrDraining {
			panic(http.ErrAbortHandler)
		}
	}
}
