package web

import (
	"errors"
	"net/http"
	"strings"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// ErrAnswered: the answer has begun, so the client cannot be told of the error.
var ErrAnswered = errors.New("the answer had begun")

// historyFull is the reason of [history.ErrFull].
const historyFull = "history-full"

// ErrDraining: the server drains. It ends pending polls and refuses posts.
var ErrDraining = &Problem{Status: http.StatusServiceUnavailable, Reason: "draining", RetryAfter: 1, Text: "The server is restarting. Ask again in a moment."}

// problemOf returns the answer to an error. No other code maps errors to statuses. An unknown
// error is a 500: its text goes to the log but not to the client.
func problemOf(err error) *Problem {
	if known, ok := errors.AsType[*Problem](err); ok {
		return known
	}
	switch {
	case errors.Is(err, hub.ErrClosed):
		return ErrDraining
	case errors.Is(err, history.ErrFull):
		return &Problem{Status: http.StatusServiceUnavailable, Reason: historyFull, RetryAfter: Soon, Text: "There is no room for messages now, so this one was not stored. Come back in a while."}
	case errors.Is(err, history.ErrAway):
		return &Problem{Status: http.StatusServiceUnavailable, Reason: "history-away", RetryAfter: Soon, Text: "The log of messages cannot be reached now. Ask again in a moment. A post may have been stored: repeat it with the same Idempotency-Key."}
	case errors.Is(err, history.ErrTooManyOfOwner):
		return &Problem{Status: http.StatusTooManyRequests, Reason: "channels-per-address", RetryAfter: 60, Text: "Your address has begun as many channels as one may. Use one of them, or come back when what was said there is gone."}
	case errors.Is(err, history.ErrTooManyChannels):
		return &Problem{Status: http.StatusServiceUnavailable, Reason: "channels", RetryAfter: 60, Text: "As many channels as this server may have are in use. Use one of them, or come back later."}
	case errors.Is(err, history.ErrCursor), errors.Is(err, history.ErrSeveral), errors.Is(err, history.ErrChannel), errors.Is(err, history.ErrCompanion), errors.Is(err, history.ErrChannels):
		return &Problem{Status: http.StatusBadRequest, Text: sentence(err)}
	}
	return &Problem{Status: http.StatusInternalServerError, Text: "Something went wrong here; it is in the server's log."}
}

// sentence returns an error's text with a capital letter and a full stop.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
