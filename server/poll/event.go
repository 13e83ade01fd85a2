package poll

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/post"
	"pubsub/server/web"
)

// PublishEvent answers POST /publish: it publishes a JSON object that has a field message.
func PublishEvent(posts *post.Publisher, w http.ResponseWriter, r *http.Request, channel string) error {
	receipt, err := posts.Publish(w, r, channel, readEvent)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"status": "published", "event_id": receipt.Cursor.ID})
}

func readEvent(body *post.Body) (any, error) {
	object, err := body.Object()
	if err == nil && isEmpty(object["message"]) {
		return nil, post.ErrNoMessage
	}
	return object, err
}

// Event is the [Dialect] of /subscribe. With the field last_event_id it asks for the first
// message after that id, otherwise for the next message that is published.
func Event(fields web.Fields, q *Query) (err error) {
	if fields.Has("last_event_id") {
		q.places[0].Since, err = parseID("last_event_id", fields.First("last_event_id"))
		q.form = events
	}
	q.limit, q.answer = 1, answerEvent
	return err
}

// events is the form of the answers of [Event].
var events = &form{limit: 1, path: "/subscribe/", body: func(page *hub.Page, channel string) []byte {
	if len(page.Messages) == 0 {
		return fmt.Appendf(nil, `{"channel":%q,"status":"timeout"}`+"\n", channel)
	}
	return page.Messages[0].JSON
}}

func answerEvent(w http.ResponseWriter, q *Query, page *hub.Page) error {
	return web.WriteBody(w, http.StatusOK, events.body(page, q.places[0].Channel))
}

// parseID parses the id of the last message that a client has.
func parseID(name, text string) (history.Since, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return history.Since{}, web.Refuse(http.StatusBadRequest, "%s must be the id of a message, or 0.", name)
	}
	return history.AfterID(id), nil
}

// isEmpty is "not value" of Python: the rule by which this dialect refuses a message.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case string:
		return value == ""
	case bool:
		return !value
	case json.Number:
		number, _ := value.Float64()
		return number == 0
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return value == nil
}
