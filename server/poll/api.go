package poll

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/post"
	"pubsub/server/web"
)

// PublishAPI answers POST /api/publish: it publishes a JSON object with any fields.
func PublishAPI(posts *post.Publisher, w http.ResponseWriter, r *http.Request, channel string) error {
	receipt, err := posts.Publish(w, r, channel, func(body *post.Body) (any, error) { return body.Object() })
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"status": "published", "message_id": receipt.Cursor.ID})
}

// API is the [Dialect] of /api/poll. With the field last_message_id it asks for all messages
// after that id, otherwise for the first message after the timestamp since.
func API(fields web.Fields, q *Query) (err error) {
	if fields.Has("last_message_id") {
		q.places[0].Since, err = parseID("last_message_id", fields.First("last_message_id"))
		q.limit, q.answer, q.form = maxPage, answerAPIByID, lists
	} else {
		q.places[0].Since, q.resume, err = parseTime(fields.First("since"))
		q.limit, q.answer = 1, answerAPI
	}
	return err
}

// answerAPI answers with one message, and the timestamp from which the client polls next. At
// a timeout that is the timestamp of the newest message. With the time now, a message that is
// published after the last read would be skipped.
func answerAPI(w http.ResponseWriter, q *Query, page *hub.Page) error {
	if len(page.Messages) == 0 {
		at := page.LastTime
		if at.IsZero() {
			at = q.asked
		}
		return web.WriteJSON(w, http.StatusOK, map[string]any{"status": "timeout", "timestamp": timestamp(at)})
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{
		"status":    "message",
		"data":      json.RawMessage(page.Messages[0].JSON),
		"timestamp": timestamp(page.Messages[0].Time),
	})
}

// lists is the form of the answers of [API] by id.
var lists = &form{limit: maxPage, path: "/api/poll/", body: func(page *hub.Page, _ string) []byte {
	status := "messages"
	if len(page.Messages) == 0 {
		status = "timeout"
	}
	return fmt.Appendf(nil, `{"status":%q,"messages":%s,"count":%d}`+"\n", status, page.AppendMessages(nil), len(page.Messages))
}}

func answerAPIByID(w http.ResponseWriter, _ *Query, page *hub.Page) error {
	return web.WriteBody(w, http.StatusOK, lists.body(page, ""))
}

func timestamp(at time.Time) json.RawMessage { return history.AppendTimestamp(nil, at) }

// parseTime parses the timestamp of the last message that a client has. A client without one
// sends nothing or 0, and resumes from where the server remembers it to be.
func parseTime(text string) (since history.Since, resume bool, err error) {
	if text == "" {
		return history.Now(), true, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e11:
		return history.Since{}, false, web.Refuse(http.StatusBadRequest, "since must be the timestamp of a message in Unix seconds, or 0.")
	case seconds == 0:
		return history.Now(), true, nil
	}
	// A float64 of these seconds is exact to a quarter of a microsecond.
	return history.AfterTime(time.UnixMicro(int64(math.Round(seconds * 1e6)))), false, nil
}
