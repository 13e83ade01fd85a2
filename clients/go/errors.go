package pubsub

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is the answer of a server that does not do what it was asked for. What a proxy answers
// in place of the server is no Error, but a lost connection.
type Error struct {
	Status     int           // of HTTP
	Text       string        // the server's sentence
	Channels   []string      // that it is about, if not all that were asked for
	RetryAfter time.Duration // when to come back; 0 if the server does not say
}

func (e *Error) Error() string { return fmt.Sprintf("%s (status %d)", e.Text, e.Status) }

// final tells whether the same request would be refused again.
func (e *Error) final() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return e.Status < 500
}

// wrong is an error that nothing but another program mends.
type wrong struct{ error }

// isFinal tells whether trying again makes no sense.
func isFinal(err error) bool {
	if _, ok := errors.AsType[wrong](err); ok {
		return true
	}
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.final()
}

// Gap is told between two messages when those in between are gone for good.
type Gap struct {
	// Reason is "expired", "restarted" (the server has another log than the one that the
	// reader knew) or "ahead" (the reader knew a message that has not been).
	Reason string
	// Missed is how many messages are missing, if Reason is "expired"; otherwise nobody knows.
	Missed uint64
	// Channel is where they are missing.
	Channel string
	// Cursor is where the reader goes on: see [Message].
	Cursor string `json:"-"`
}

func (g *Gap) Error() string {
	switch {
	case g.Reason == "expired" && g.Missed == 1:
		return "1 message of " + g.Channel + " is missing: it has expired"
	case g.Reason == "expired":
		return fmt.Sprintf("%d messages of %s are missing: they have expired", g.Missed, g.Channel)
	case g.Reason == "restarted":
		return "messages of " + g.Channel + " may be missing: the server has begun a new log"
	}
	return fmt.Sprintf("messages of %s may be missing (%s)", g.Channel, g.Reason)
}

// cut is the end of a stream that may be opened again.
type cut struct {
	error
	after   time.Duration // when the server wants it to be
	planned bool          // by the server, which ends each stream some time
}

func (c *cut) Unwrap() error { return c.error }

// isPlanned tells whether nothing is wrong.
func isPlanned(err error) bool {
	end, ok := errors.AsType[*cut](err)
	return ok && end.planned
}
