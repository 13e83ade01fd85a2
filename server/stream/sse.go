package stream

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// events is the [Way] of Server-Sent Events,
// https://html.spec.whatwg.org/multipage/server-sent-events.html. The id of an event is the
// cursor after it.
type events struct{}

var (
	eventStream = []string{"text/event-stream; charset=utf-8"}
	comment     = []byte(":\n") // without a blank line: that ends a block, which some clients take for an event
)

// retryAfter is about how long a browser should wait when its connection breaks.
const retryAfter = 2 * time.Second

func (events) accept(h http.Header, _ *http.Request) error {
	web.FreshBitByBit(h)["Content-Type"] = eventStream
	return nil
}

func (events) status() int { return http.StatusOK }

// refuse answers a limit or a drain with a stream that ends at once and says when to come
// back. At any other status than 200 a browser's EventSource gives up for good.
func (e events) refuse(responder *web.Responder, w http.ResponseWriter, r *http.Request, err error) {
	problem := responder.ProblemFor(r, err)
	if problem.Status != http.StatusTooManyRequests && problem.Status != http.StatusServiceUnavailable {
		unset(w.Header())
		responder.Answer(w, r, problem)
		return
	}
	object := map[string]any{"error": problem.Text, "status": problem.Status}
	if problem.Field != "" {
		object["field"] = problem.Field
	}
	said, _ := json.Marshal(object) // cannot fail
	unset(w.Header())
	b := appendRetry(nil, max(time.Duration(problem.Wait())*time.Second, time.Second))
	b = append(append(b, "event: error\ndata: "...), said...)
	_ = web.Write(w, http.StatusOK, eventStream, append(b, "\n\n"...))
}

// unset deletes the headers that accept has set. Otherwise package web would take the answer
// for begun, and write no status.
func unset(h http.Header) {
	for _, name := range []string{"Cache-Control", "Content-Type", "X-Accel-Buffering"} {
		delete(h, name)
	}
}

// first tells the cursor before the first message. Its data is JSON, like that of each event,
// because some clients parse the data of all events.
func (events) first(page *hub.Page) []byte {
	b := appendRetry(nil, retryAfter)
	b = page.AppendStart(append(b, "event: begin\nid: "...))
	return append(b, "\ndata: {}\n\n"...)
}

func appendRetry(b []byte, wait time.Duration) []byte {
	b = strconv.AppendInt(append(b, "retry: "...), jitter(wait, 0.5).Milliseconds(), 10)
	return append(b, '\n')
}

func (events) page(page *hub.Page) []byte {
	const around = 64 // bytes of an event without its message
	b := make([]byte, 0, page.Size()+around*(len(page.Messages)+1))
	if page.Gap != nil {
		gap, _ := json.Marshal(page.Gap) // cannot fail
		b = page.AppendStart(append(b, "event: gap\nid: "...))
		b = append(append(b, "\ndata: "...), gap...)
		b = append(b, "\n\n"...)
	}
	for m, at := range page.Walk() {
		b = hub.AppendCursors(append(b, "id: "...), at)
		b = append(append(b, "\ndata: "...), m.JSON...)
		b = append(b, "\n\n"...)
	}
	return b
}

func (events) heartbeat([]history.Cursor) []byte { return comment }

func (events) last(why *farewell, _ []history.Cursor) []byte {
	b := strconv.AppendInt([]byte("retry: "), why.retry(), 10)
	b = append(b, "\nevent: end\ndata: "...)
	b = append(b, why.json()...)
	return append(b, "\n\n"...)
}

func (events) talks() bool { return false }

// json returns the farewell as a JSON object.
func (f *farewell) json() []byte {
	object := map[string]any{"reason": f.reason}
	if f.text != "" {
		object["error"] = f.text
	}
	text, _ := json.Marshal(object) // cannot fail
	return text
}
