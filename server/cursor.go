package server

import (
	"encoding/json"
	"net/http"
	"net/url"

	"pubsub/server/history"
)

// maxKey is how many bytes an Idempotency-Key may have.
const maxKey = 255

// publishOnce publishes object, once for all requests with its Idempotency-Key.
func (s *Server) publishOnce(r *http.Request, channel string, object []byte) (posted, error) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return posted{}, refuse(http.StatusBadRequest, "An Idempotency-Key has at most %d bytes. A random UUID is good.", maxKey)
	}
	if key != "" {
		key = channel + " " + key
	}
	if err := s.posts.enter(); err != nil {
		return posted{}, err
	}
	defer s.posts.leave()
	return s.once.Do(key, func() (posted, error) {
		cursor, err := s.hub.Publish(channel, object)
		return posted{"sent", cursor.ID, cursor.String()}, err
	})
}

// subSince answers with everything after since, at once if there is anything,
// and with an empty list at the timeout.
func (s *Server) subSince(w http.ResponseWriter, r *http.Request, channel string, query url.Values) error {
	since, err := history.ParseSince(query.Get("since"))
	if err != nil {
		return err
	}
	page, err := s.poll(r, channel, query, since, maxPage)
	if err != nil {
		return err
	}
	return writeBody(w, http.StatusOK, encodePage(page))
}

// encodePage is {"messages": […], "cursor": "…", "more": false, "gap": {…}}.
func encodePage(page history.Page) []byte {
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
