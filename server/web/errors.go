package web

import (
	"errors"
	"net/http"
	"strings"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// ErrAnswered ends a request whose answer has begun and cannot be mended.
var ErrAnswered = errors.New("the answer had begun")

// ErrDraining is why pending polls end when the server stops, and why posts are
// refused then.
var ErrDraining = &Problem{http.StatusServiceUnavailable, "draining", 1, "The server is restarting. Ask again in a moment.", false}

// problemOf is the one table of errors and statuses. Text that is not for the client
// stays in the log.
func problemOf(err error) *Problem {
	if known, ok := errors.AsType[*Problem](err); ok {
		return known
	}
	switch {
	case errors.Is(err, hub.ErrClosed):
		return ErrDraining
	case errors.Is(err, history.ErrTooManyOfOwner):
		return &Problem{http.StatusTooManyRequests, "channels-per-address", 60, "Your address has begun as many channels as one may. Use one of them, or come back when what was said there is gone.", false}
	case errors.Is(err, history.ErrTooManyChannels):
		return &Problem{http.StatusServiceUnavailable, "channels", 60, "As many channels as this server may have are in use. Use one of them, or come back later.", false}
	case errors.Is(err, history.ErrCursor), errors.Is(err, history.ErrChannel):
		return &Problem{http.StatusBadRequest, "", 0, sentence(err), false}
	}
	return &Problem{http.StatusInternalServerError, "", 0, "Something went wrong here; it is in the server's log.", false}
}

// sentence is an error's text as one.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
