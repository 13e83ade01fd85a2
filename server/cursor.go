package server

import (
	"encoding/json"
	"net/http"
	"net/url"

	"pubsub/server/history"
)

// subSince answers with everything after since, at once if there is anything,
// and with an empty list at the timeout.
func (s *Server) subSince(w http.ResponseWriter, r *http.Request, query url.Values, asked *ask) (err error) {
	if asked.Since, err = history.ParseSince(query.Get("since")); err != nil {
		return err
	}
	asked.Limit, asked.answer = maxPage, answerPage
	return s.poll(w, r, query, asked)
}

func answerPage(w http.ResponseWriter, _ string, page *history.Page) error {
	return writeBody(w, http.StatusOK, encodePage(page))
}

// encodePage is {"messages": […], "cursor": "…", "more": false, "gap": {…}}.
func encodePage(page *history.Page) []byte {
	b := append([]byte(`{"messages":`), joinMessages(page.Messages)...)
	b = append(b, `,"cursor":"`...)
	b = append(b, page.Cursor.String()...)
	b = append(b, `","more":`...)
	if page.More {
		b = append(b, `true`...)
	} else {
		b = append(b, `false`...)
	}
	if page.Gap != nil {
		gap, _ := json.Marshal(page.Gap) // a text and a number
		b = append(append(b, `,"gap":`...), gap...)
	}
	return append(b, "}\n"...)
}

// joinMessages is the messages as a JSON array.
func joinMessages(messages []history.Message) []byte {
	size := 2
	for _, m := range messages {
		size += len(m.JSON) + 1
	}
	b := append(make([]byte, 0, size), '[')
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m.JSON...)
	}
	return append(b, ']')
}
