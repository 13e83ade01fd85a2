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

// Way is the form of a stream: see sse.go, ndjson.go and websocket.go. The byte slices that
// its methods return are shared, so they must not be changed.
type Way interface {
	// accept checks a request, and sets the headers of the answer.
	accept(h http.Header, r *http.Request) error
	// status is the status of the answer.
	status() int
	// refuse answers a request that gets no stream.
	refuse(responder *web.Responder, w http.ResponseWriter, r *http.Request, err error)
	// first returns the beginning of a stream, with the cursors before the page.
	first(page *hub.Page) []byte
	// page returns what is written for a page that has news.
	page(page *hub.Page) []byte
	// heartbeat returns what is written to a silent stream that has reached the cursors.
	heartbeat(at []history.Cursor) []byte
	// last returns the end of a stream, with the cursors that the client has reached.
	last(why *farewell, at []history.Cursor) []byte
	// talks tells whether the client may send something, too.
	talks() bool
}

// WayOf returns the way of the stream that a request asks for, nil if it asks for none. An
// Accept of any type asks for none, because curl and the original's clients send that.
func WayOf(r *http.Request) Way {
	if web.IsWebSocket(r) || len(r.Header["Sec-Websocket-Key"]) > 0 { // without Upgrade, accept refuses the request and says so
		return webSocket{}
	}
	for _, accepts := range r.Header["Accept"] {
		switch {
		case names(accepts, "text/event-stream"):
			return events{}
		case names(accepts, "application/x-ndjson"):
			return ndjson{}
		}
	}
	return nil
}

// names tells whether the value of an Accept names the wanted type itself.
func names(accepts, wanted string) bool {
	for one := range strings.SplitSeq(accepts, ",") {
		kind, _, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(kind), wanted) {
			return true
		}
	}
	return false
}

// farewell is the reason why the server ends a stream.
type farewell struct {
	reason string        // one word, for programs
	text   string        // for people; "" if they can mend nothing
	code   ws.StatusCode // for a WebSocket
	wait   time.Duration // about how long the client should wait before it comes back
}

var (
	overAge    = &farewell{reason: "lifetime", code: ws.StatusGoingAway, wait: 500 * time.Millisecond}
	drained    = &farewell{reason: "draining", code: ws.StatusGoingAway, wait: time.Second}
	expired    = &farewell{reason: "expired", text: "The token has expired: get a new one.", code: ws.StatusPolicyViolation, wait: 100 * time.Millisecond}
	outOfReach = &farewell{reason: "history-away", text: "The log of messages cannot be reached now.", code: statusTryAgainLater, wait: 3 * time.Second}
)

// statusTryAgainLater is registered with IANA, and missing in package ws.
const statusTryAgainLater ws.StatusCode = 1013

// notAllowed makes the farewell to a client that is over a limit.
func notAllowed(problem error) *farewell {
	why := &farewell{reason: "limit", text: problem.Error(), code: ws.StatusPolicyViolation, wait: 5 * time.Second}
	if known, ok := problem.(*web.Problem); ok && known.Reason != "" {
		why.reason = known.Reason
	}
	return why
}

// retry returns how long the client should wait before it comes back, in milliseconds. It
// varies, so that not all clients come at once.
func (f *farewell) retry() int64 { return jitter(f.wait, 0.5).Milliseconds() }

// jitter varies a duration at random, by up to part of it in both directions.
func jitter(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * (1 - part + 2*part*rand.Float64()))
}
