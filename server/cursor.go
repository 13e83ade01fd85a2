package server

import (
	"encoding/json"
	"net/http"
	"net/url"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// subscribe tells apart who asks with a cursor and who asks as the original's
// clients do.
func (s *Server) subscribe(w http.ResponseWriter, r *http.Request, channel string) error {
	query, err := pollQuery(r)
	switch {
	case err != nil:
		return err
	case query.Has("since"):
		return s.subSince(w, r, channel, query)
	}
	return s.sub(w, r, channel)
}

// subSince answers with everything after since, at once if there is anything,
// and with an empty list at the timeout.
func (s *Server) subSince(w http.ResponseWriter, r *http.Request, channel string, query url.Values) error {
	since, err := history.ParseSince(query.Get("since"))
	if err != nil {
		return err
	}
	return s.poll(w, r, query, &ask{hub.Query{Channel: channel, Since: since, Limit: maxPage}, answerPage})
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
