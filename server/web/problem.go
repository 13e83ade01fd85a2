package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// Problem is an error that the client is told of.
type Problem struct {
	Status     int
	Reason     string // for metrics and log lines; "" means that of the status
	RetryAfter int    // in seconds, or Soon; 0 is no header
	Text       string // for people: what is wrong, and what to do
	Close      bool   // the connection is closed after the answer

	Channels []string // the channels asked for that are refused
	Field    string   // the field of the request that caused the error, if one did
}

// errorHeader is in every answer with a [Problem], and has its reason. A proxy that answers in
// place of the server does not send it, so a client can tell the two apart.
const errorHeader = "Pubsub-Error"

// Soon is a random RetryAfter of 1 to 5 seconds, so that not all clients come back at the
// same time.
const Soon = -1

func (p *Problem) Error() string { return p.Text }

// Refuse returns a [Problem]. The text says what is wrong, and what to do.
func Refuse(status int, format string, args ...any) error {
	return &Problem{Status: status, Text: fmt.Sprintf(format, args...)}
}

// Unauthorized returns a [Problem] with status 401: the client needs a token, or another one.
func Unauthorized(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusUnauthorized, Text: fmt.Sprintf(format, args...)}
}

// Full returns a [Problem] with status 503: a limit of the server is reached.
func Full(reason, format string, args ...any) error {
	return &Problem{Status: http.StatusServiceUnavailable, Reason: reason, RetryAfter: Soon, Text: fmt.Sprintf(format, args...)}
}

// TooMany returns a [Problem] with status 429: a limit of the client is reached. retryAfter
// is in seconds, or [Soon].
func TooMany(reason string, retryAfter int, format string, args ...any) error {
	return &Problem{Status: http.StatusTooManyRequests, Reason: reason, RetryAfter: retryAfter, Text: fmt.Sprintf(format, args...)}
}

// About sets the field of a [Problem], which must be fresh, because it is changed in place.
// It returns err, and ignores errors of other types.
func About(field string, err error) error {
	if problem, ok := errors.AsType[*Problem](err); ok {
		problem.Field = field
	}
	return err
}

// Quoted is how many bytes of a client's text an answer repeats, at most.
const Quoted = 100

// reason returns the reason under which the problem is counted.
func (p *Problem) reason() string {
	if p.Reason != "" {
		return p.Reason
	}
	return reasons[p.Status]
}

var reasons = map[int]string{
	http.StatusBadRequest:                  "malformed",
	http.StatusUnauthorized:                "token",
	http.StatusForbidden:                   "origin",
	http.StatusNotFound:                    "not-found",
	http.StatusMethodNotAllowed:            "method",
	http.StatusRequestTimeout:              "slow-body",
	http.StatusRequestEntityTooLarge:       "too-large",
	http.StatusUnsupportedMediaType:        "media-type",
	http.StatusRequestHeaderFieldsTooLarge: "header-too-large",
	http.StatusUpgradeRequired:             "upgrade",
	http.StatusInternalServerError:         "internal",
}

// Wait returns after how many seconds the client should come back, 0 if unknown.
func (p *Problem) Wait() int {
	if p.RetryAfter == Soon {
		return 1 + rand.IntN(5)
	}
	return p.RetryAfter
}

// retryAfter returns the value of the header Retry-After, "" for no header.
func (p *Problem) retryAfter() string {
	if p.RetryAfter == 0 {
		return ""
	}
	return strconv.Itoa(p.Wait())
}

// body returns the answer as JSON.
func (p *Problem) body() []byte {
	object := map[string]any{"error": p.Text}
	if len(p.Channels) > 0 {
		object["channels"] = p.Channels
	}
	if p.Field != "" {
		object["field"] = p.Field
	}
	body, _ := json.Marshal(object) // cannot fail for texts
	return append(body, '\n')
}

// Response returns a whole HTTP/1.1 answer, for a connection without a handler. The answer
// closes the connection. Closing one with an unread request resets it, so the answer has a
// Content-Length: the client can tell that it has all of it.
func (p *Problem) Response() []byte {
	body, retryAfter := p.body(), p.retryAfter()
	if retryAfter != "" {
		retryAfter = "Retry-After: " + retryAfter + "\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n%s: %s\r\nX-Content-Type-Options: nosniff\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		p.Status, http.StatusText(p.Status), errorHeader, p.reason(), retryAfter, len(body), body)
}
