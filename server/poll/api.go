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

// PublishAPI publishes a JSON object of any shape.
func PublishAPI(posts *post.Publisher, w http.ResponseWriter, r *http.Request, channel string) error {
	receipt, err := posts.Publish(w, r, channel, func(body *post.Body) (any, error) { return body.Object() })
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, map[string]any{"status": "published", "message_id": receipt.Cursor.ID})
}

// API asks for the first message after the time since, or for all
// after last_message_id where that is given.
func API(fields web.Fields, q *Query) (err error) {
	if fields.Has("last_message_id") {
		q.places[0].Since, err = parseID("last_message_id", fields.First("last_message_id"))
		q.limit, q.answer = maxPage, answerAPIReliably
	} else {
		q.places[0].Since, q.goesOn, err = parseTime(fields.First("since"))
		q.limit, q.answer = 1, answerAPI
	}
	return err
}

// answerAPI gives a time to go on from: that of the last message that the client
// has. The clock after the last look would pass over what came in between.
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

func answerAPIReliably(w http.ResponseWriter, _ *Query, page *hub.Page) error {
	status := "messages"
	if len(page.Messages) == 0 {
		status = "timeout"
	}
	return web.WriteBody(w, http.StatusOK, fmt.Appendf(nil, `{"status":%q,"messages":%s,"count":%d}`+"\n",
		status, appendMessages(nil, page.Messages), len(page.Messages)))
}

func timestamp(at time.Time) json.RawMessage { return history.AppendTimestamp(nil, at) }

// parseTime reads the timestamp of the last message that a client has. Without one,
// or with 0, it has none yet, or keeps none: it goes on from its place.
func parseTime(text string) (since history.Since, goesOn bool, err error) {
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
