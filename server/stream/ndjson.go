package stream

import (
	"encoding/json"
	"net/http"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// ndjson is the [Way] of one JSON value a line, for programs and for curl -N. A line with an
// id is a message. {"cursor": "…"} comes at the beginning, after each page of messages, and
// as a heartbeat. The others are {"gap": {…}, "cursor": "…"} and {"end": "…", "cursor": "…"}.
type ndjson struct{}

var ndjsonType = []string{"application/x-ndjson"}

func (ndjson) accept(h http.Header, _ *http.Request) error {
	web.FreshBitByBit(h)["Content-Type"] = ndjsonType
	return nil
}

func (ndjson) status() int { return http.StatusOK }

func (ndjson) refuse(responder *web.Responder, w http.ResponseWriter, r *http.Request, err error) {
	unset(w.Header())
	responder.Error(w, r, err)
}

func (ndjson) first(page *hub.Page) []byte {
	b := page.AppendStart([]byte(`{"cursor":"`))
	return append(b, "\"}\n"...)
}

// appendCursor appends a line with the cursors.
func appendCursor(b []byte, at []history.Cursor) []byte {
	b = hub.AppendCursors(append(b, `{"cursor":"`...), at)
	return append(b, "\"}\n"...)
}

func (ndjson) page(page *hub.Page) []byte {
	b := make([]byte, 0, page.Size()+len(page.Messages)+128)
	if page.Gap != nil {
		gap, _ := json.Marshal(page.Gap) // cannot fail
		b = append(append(b, `{"gap":`...), gap...)
		b = page.AppendStart(append(b, `,"cursor":"`...))
		b = append(b, "\"}\n"...)
	}
	for i := range page.Messages {
		b = append(append(b, page.Messages[i].JSON...), '\n')
	}
	return appendCursor(b, page.Cursors)
}

func (ndjson) heartbeat(at []history.Cursor) []byte { return appendCursor(nil, at) }

func (ndjson) last(why *farewell, at []history.Cursor) []byte {
	object := map[string]any{"end": why.reason, "cursor": string(hub.AppendCursors(nil, at))}
	if why.text != "" {
		object["error"] = why.text
	}
	text, _ := json.Marshal(object) // cannot fail
	return append(text, '\n')
}

func (ndjson) talks() bool { return false }
