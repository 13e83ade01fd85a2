package stream

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// Way is the form of a stream: see sse.go, lines.go and websocket.go. The byte slices that
// its methods return are shared: do not change them.
type Way interface {
	// accept checks a request, and sets the headers of the answer.
	accept(h http.Header, r *http.Request) error
	// status is the status of the answer.
	status() int
	// refuse answers a request that has no stream.
	refuse(responder *web.Responder, w http.ResponseWriter, r *http.Request, err error)
	// first is what a stream begins with, which has the places where it begins; then
	// comes the page.
	first(page *hub.Page) []byte
	// page is what is written for a page that has news.
	page(page *hub.Page) []byte
	// heartbeat is what a silent stream is sent that has reached some places.
	heartbeat(at []history.Cursor) []byte
	// last is what a stream ends with; it has the places that the client has reached.
	last(why *farewell, at []history.Cursor) []byte
	// talks tells whether the client may say something, too.
	talks() bool
}

// WayOf returns the way of the stream that a request asks for, nil if it asks for none.
// An Accept of any type asks for none: curl and the original's clients send it.
func WayOf(r *http.Request) Way {
	if web.IsWebSocket(r) || len(r.Header["Sec-Websocket-Key"]) > 0 { // without Upgrade it is told so
		return webSocket{}
	}
	for _, accepts := range r.Header["Accept"] {
		switch {
		case names(accepts, "text/event-stream"):
			return events{}
		case names(accepts, "application/x-ndjson"):
			return lines{}
		}
	}
	return nil
}

// names tells whether the value of an Accept names a type itself.
func names(accepts, wanted string) bool {
	for one := range strings.SplitSeq(accepts, ",") {
		kind, _, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(kind), wanted) {
			return true
		}
	}
	return false
}

// farewell is why the server ends a stream.
type farewell struct {
	reason string        // one word for programs
	text   string        // for people, "" if there is nothing to mend
	code   ws.StatusCode // of a WebSocket
	wait   time.Duration // after which the client should come back, about
}

var (
	overAge    = &farewell{reason: "lifetime", code: ws.StatusGoingAway, wait: 500 * time.Millisecond}
	drained    = &farewell{reason: "draining", code: ws.StatusGoingAway, wait: time.Second}
	expired    = &farewell{reason: "expired", text: "The token has expired: get a new one.", code: ws.StatusPolicyViolation, wait: 100 * time.Millisecond}
	outOfReach = &farewell{reason: "history-away", text: "The log of messages cannot be reached now.", code: statusTryAgainLater, wait: 3 * time.Second}
)

// statusTryAgainLater is registered with IANA for RFC 6455, and not in package ws.
const statusTryAgainLater ws.StatusCode = 1013

// notAllowed ends the stream of a client that has or does too much.
func notAllowed(problem error) *farewell {
	why := &farewell{reason: "limit", text: problem.Error(), code: ws.StatusPolicyViolation, wait: 5 * time.Second}
	if known, ok := problem.(*web.Problem); ok && known.Reason != "" {
		why.reason = known.Reason
	}
	return why
}

// retry is how long the client should wait before it comes back, in milliseconds. Each
// client is told another time, so that not all come at once.
func (f *farewell) retry() int64 { return jitter(f.wait, 0.5).Milliseconds() }

// jitter is a duration, more or less by up to a part of it.
func jitter(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * (1 - part + 2*part*rand.Float64()))
}
