package poll

import (
	"encoding/json"
	"net/http"
	"strconv"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// Cursor is the [Dialect] of /sub with the field since. It asks for all messages after
// that place. At the timeout its answer is an empty list.
func Cursor(fields web.Fields, q *Query) error {
	q.limit, q.answer, q.several = maxPage, answerPage, true
	all, err := history.ParseSinces(fields.First("since"), len(q.places))
	for i := range all {
		q.places[i].Since = all[i]
	}
	return err
}

func answerPage(w http.ResponseWriter, _ *Query, page *hub.Page) error {
	return web.WriteBody(w, http.StatusOK, encodePage(page))
}

// encodePage writes {"messages": […], "cursor": "…", "start": "…", "more": false, "gap": {…}}.
func encodePage(page *hub.Page) []byte {
	const around = 192 // bytes of all but the messages
	b := make([]byte, 0, around+sizeOf(page.Messages))
	b = append(b, `{"messages":`...)
	b = appendMessages(b, page.Messages)
	b = append(b, `,"cursor":"`...)
	b = page.AppendCursor(b)
	b = append(b, `","start":"`...)
	b = page.AppendStart(b)
	b = append(b, `","more":`...)
	b = strconv.AppendBool(b, page.More)
	if page.Gap != nil {
		gap, _ := json.Marshal(page.Gap) // a struct of texts and a number, which cannot fail
		b = append(append(b, `,"gap":`...), gap...)
	}
	return append(b, "}\n"...)
}

// appendMessages appends the messages as a JSON array.
func appendMessages(b []byte, messages []history.Message) []byte {
	b = append(b, '[')
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.JSON...)
	}
	return append(b, ']')
}

// sizeOf is how many bytes the messages take as a JSON array, or one byte more.
func sizeOf(messages []history.Message) int {
	size := len("[]")
	for _, m := range messages {
		size += len(m.JSON) + len(",")
	}
	return size
}
