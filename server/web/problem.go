package web

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// Problem is an error whose text is for the person who sent the request.
type Problem struct {
	Status     int
	Reason     string // in metrics and log lines; by the status if empty
	RetryAfter int    // seconds, 0 for none, or Soon
	Text       string // what is wrong, and what to do about it
	Close      bool   // the connection, behind the answer
}

// Soon is a RetryAfter of some seconds that does not call all back at once.
const Soon = -1

func (p *Problem) Error() string { return p.Text }

// Refuse makes a problem: what is wrong, and what to do about it.
func Refuse(status int, format string, args ...any) error {
	return &Problem{Status: status, Text: fmt.Sprintf(format, args...)}
}

// Full makes a problem of the server: it has as much as it may.
func Full(reason, format string, args ...any) error {
	return &Problem{Status: http.StatusServiceUnavailable, Reason: reason, RetryAfter: Soon, Text: fmt.Sprintf(format, args...)}
}

// TooMany makes a problem of one client: it has or does as much as one may.
func TooMany(reason string, retryAfter int, format string, args ...any) error {
	return &Problem{Status: http.StatusTooManyRequests, Reason: reason, RetryAfter: retryAfter, Text: fmt.Sprintf(format, args...)}
}

// Quoted is how many bytes of what a client sent an answer repeats.
const Quoted = 100

// reason is what the problem is counted as.
func (p *Problem) reason() string {
	if p.Reason != "" {
		return p.Reason
	}
	return reasons[p.Status]
}

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

// retryAfter is the header's value, "" for none.
func (p *Problem) retryAfter() string {
	switch p.RetryAfter {
	case 0:
		return ""
	case Soon:
		return strconv.Itoa(1 + rand.IntN(5))
	}
	return strconv.Itoa(p.RetryAfter)
}

// body is a problem as JSON.
func (p *Problem) body() []byte {
	body, _ := json.Marshal(map[string]string{"error": p.Text}) // a text
	return append(body, '\n')
}

// Response is a problem as net/http would write it, for a connection that no handler
// answers on. It closes the connection. Its length is told because a connection that is
// closed with a request unread is reset, and who was told the length knows even so that
// this is all.
func (p *Problem) Response() []byte {
	body, retryAfter := p.body(), p.retryAfter()
	if retryAfter != "" {
		retryAfter = "Retry-After: " + retryAfter + "\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		p.Status, http.StatusText(p.Status), retryAfter, len(body), body)
}

// Reached tells whether there are as many as may be; a limit of 0 is none.
func Reached(n, limit int) bool { return limit > 0 && n >= limit }
