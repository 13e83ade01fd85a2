package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"pubsub/server/bus"
	"pubsub/server/history"
)

// problem is an error whose text is for the person who sent the request.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// refuse makes a problem: what is wrong, and what to do about it.
func refuse(status int, format string, args ...any) error {
	return &problem{status, fmt.Sprintf(format, args...)}
}

var (
	// errDraining is why pending polls end when the server stops.
	errDraining = errors.New("the server is stopping")
	// errTimeout is why a poll ends that had nothing to tell.
	errTimeout = errors.New("nothing was published in time")
	// errAnswered ends a request whose answer has begun and cannot be mended.
	errAnswered = errors.New("the answer had begun")
)

// retrySoon is the Retry-After of an answer that is different in a moment.
const retrySoon = "1"

// handler is an HTTP endpoint. It answers, or returns an error for answerError.
type handler func(w http.ResponseWriter, r *http.Request) error

func (s *Server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answerError(w, r, err)
		}
	}
}

// answerError is the one table of errors and statuses. Text that is not a
// problem's or an exported one of ours stays in the log.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	var known *problem
	status, text := http.StatusInternalServerError, "Something went wrong here; it is in the server's log."
	switch {
	case errors.Is(err, errAnswered), errors.Is(err, context.Canceled):
		return // the client has its answer, or has hung up
	case errors.As(err, &known):
		status, text = known.status, known.text
	case errors.Is(err, errDraining), errors.Is(err, bus.ErrClosed):
		w.Header().Set("Retry-After", retrySoon)
		status, text = http.StatusServiceUnavailable, "The server is restarting. Ask again in a moment."
	case errors.Is(err, history.ErrTooManyChannels):
		w.Header().Set("Retry-After", "60")
		status, text = http.StatusServiceUnavailable, "As many channels as this server may have are in use. Use one of them, or come back later."
	case errors.Is(err, history.ErrCursor):
		status, text = http.StatusBadRequest, upperFirst(err.Error())+"."
	}
	level := s.log.Info
	switch {
	case status == http.StatusInternalServerError:
		level = s.log.Error
	case errors.Is(err, errDraining):
		level = s.log.Debug // all polls that wait end so
	}
	level("request refused", "status", status, "method", r.Method, "path", r.URL.Path, "remote", r.RemoteAddr, "error", err)
	writeJSON(w, status, map[string]string{"error": text})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBody(w, status, append(body, '\n'))
}

func writeBody(w http.ResponseWriter, status int, body []byte) error {
	fresh(w.Header()).Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return errors.Join(errAnswered, err)
	}
	return nil
}

// fresh marks an answer that nobody on the way may keep, or gather before it
// sends it on.
func fresh(h http.Header) http.Header {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	return h
}
