package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// problem is an error whose text is for the person who sent the request.
type problem struct {
	status     int
	reason     string // for the metrics; by the status if empty
	retryAfter int    // seconds, 0 for none
	text       string
}

func (p *problem) Error() string { return p.text }

// refuse makes a problem: what is wrong, and what to do about it.
func refuse(status int, format string, args ...any) error {
	return &problem{status: status, text: fmt.Sprintf(format, args...)}
}

// maxQuoted is how many bytes of what a client sent an answer repeats.
const maxQuoted = 100

var (
	// errDraining is why pending polls end when the server stops.
	errDraining = errors.New("the server is draining")
	// errAnswered ends a request whose answer has begun and cannot be mended.
	errAnswered = errors.New("the answer had begun")
)

// handler is an HTTP endpoint. It answers, or returns an error for answerError.
type handler func(w http.ResponseWriter, r *http.Request) error

// channelHandler is an endpoint of the channel in its path, or of the default
// one where the path has none.
type channelHandler func(s *Server, w http.ResponseWriter, r *http.Request, channel string) error

func (s *Server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answerError(w, r, err)
		}
	}
}

// answerError answers with a problem, counts it, and writes a line about it
// unless there are many.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errAnswered):
		return
	case errors.Is(err, context.Canceled): // the client has hung up, or closed its half
		panic(http.ErrAbortHandler) // else net/http would answer with an empty 200
	}
	p := problemOf(err)
	level := slog.LevelInfo
	switch {
	case p.status == http.StatusInternalServerError:
		level = slog.LevelError
	case errors.Is(err, errDraining):
		level = slog.LevelDebug // all polls that wait end so
	}
	if s.countRefusal(&p, level) {
		s.log.Log(r.Context(), level, "refused", append([]any{"status", p.status, "reason", p.reason,
			"method", r.Method, "path", r.URL.Path, "address", s.limits.Of(r), "error", err}, idOf(r)...)...)
	}
	if p.status == http.StatusTooManyRequests {
		pause(r, tooManyPause)
	}
	s.closing(w.Header())
	if errors.Is(err, errDisplaced) { // and with it all that its connection may ask
		w.Header()["Connection"] = closed
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	_ = writeJSON(w, p.status, map[string]string{"error": p.text}) // nobody to tell if that fails
}

// tooManyPause is how late a client is told that it asks too often or too much: one
// that asks again at once, whatever Retry-After says, cannot keep a core busy with
// refusals.
const tooManyPause = 200 * time.Millisecond

// pause lets a request wait, at most until the server drains. It ends here if its
// client hangs up: one that sends ahead and closes its half would wait for nothing.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
		if !errors.Is(context.Cause(r.Context()), errDraining) {
			panic(http.ErrAbortHandler)
		}
	}
}

// countRefusal tells whether a refusal has a line in the log of its own.
func (s *Server) countRefusal(p *problem, level slog.Level) bool {
	if p.reason == "" {
		p.reason = reasons[p.status]
	}
	s.metrics.refused.WithLabelValues(p.reason).Inc()
	return s.refusals.show(p.reason, level)
}

// problemOf is the one table of errors and statuses. Text that is not for the
// client stays in the log.
func problemOf(err error) problem {
	if known, ok := errors.AsType[*problem](err); ok {
		return *known
	}
	switch {
	case errors.Is(err, errDraining), errors.Is(err, bus.ErrClosed):
		return problem{http.StatusServiceUnavailable, "draining", 1, "The server is restarting. Ask again in a moment."}
	case errors.Is(err, errSuperseded):
		return problem{http.StatusTooManyRequests, "polls-per-client", soon(), "Newer polls of this client took this one's place. Keep fewer open."}
	case errors.Is(err, errDisplaced):
		return problem{http.StatusServiceUnavailable, "polls", soon(), "The server is full, and your address has most of the polls that are pending. Keep fewer open."}
	case errors.Is(err, history.ErrTooManyOfOwner):
		return problem{http.StatusTooManyRequests, "channels-per-address", 60, "Your address has begun as many channels as one may. Use one of them, or come back when what was said there is gone."}
	case errors.Is(err, history.ErrTooManyChannels):
		return problem{http.StatusServiceUnavailable, "channels", 60, "As many channels as this server may have are in use. Use one of them, or come back later."}
	case errors.Is(err, history.ErrCursor):
		return problem{http.StatusBadRequest, "", 0, upperFirst(err.Error()) + "."}
	}
	return problem{http.StatusInternalServerError, "", 0, "Something went wrong here; it is in the server's log."}
}

// reasons names a refusal in the metrics where the problem does not.
var reasons = map[int]string{
	http.StatusBadRequest:                  "malformed",
	http.StatusForbidden:                   "origin",
	http.StatusNotFound:                    "not-found",
	http.StatusMethodNotAllowed:            "method",
	http.StatusRequestTimeout:              "slow-body",
	http.StatusRequestEntityTooLarge:       "too-large",
	http.StatusUnsupportedMediaType:        "media-type",
	http.StatusRequestHeaderFieldsTooLarge: "header-too-large",
	http.StatusInternalServerError:         "internal",
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBody(w, status, append(body, '\n'))
}

func writeBody(w http.ResponseWriter, status int, body []byte) error {
	return write(w, status, jsonType, body)
}

// writeLine writes a body and ends the line, for people at a terminal.
func writeLine(w http.ResponseWriter, body []byte) error {
	err := writeBody(w, http.StatusOK, body)
	if err == nil {
		err = writeBody(w, http.StatusOK, lineEnd)
	}
	return err
}

var lineEnd = []byte("\n")

// write writes an answer, or goes on with one that has begun.
func write(w http.ResponseWriter, status int, contentType []string, body []byte) error {
	if h := w.Header(); !begun(h) {
		fresh(h)["Content-Type"] = contentType
		w.WriteHeader(status)
	}
	if _, err := w.Write(body); err != nil {
		return errors.Join(errAnswered, err)
	}
	return nil
}

// Header values that every answer shares, so that none makes its own.
var (
	jsonType = []string{"application/json"}
	textType = []string{"text/plain; charset=utf-8"}
	noStore  = []string{"no-store"}
	nosniff  = []string{"nosniff"}
)

// fresh marks an answer that nobody on the way may keep. What it says it is, it
// is: no browser should guess. A poll makes its header when it is answered, so
// that it holds none while it waits.
func fresh(h http.Header) http.Header {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = nosniff
	return h
}

// begun tells whether an answer has begun: every one says that first.
func begun(h http.Header) bool { return len(h["Cache-Control"]) > 0 }

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
