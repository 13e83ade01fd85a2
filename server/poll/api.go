package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// apiPublish publishes a JSON object of any shape.
func (s *Server) apiPublish(w http.ResponseWriter, r *http.Request, channel string) error {
	answer, err := s.publish(w, r, channel, func(w http.ResponseWriter, r *http.Request) ([]byte, error) {
		object, err := s.readObject(w, r)
		if err != nil {
			return nil, err
		}
		return s.compact(object)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"status": "published", "message_id": answer.ID})
}

// readLastMessage asks for the first message after the time since, or for all
// after last_message_id where that is given.
func readLastMessage(query fields, asked *ask) (err error) {
	if query.has("last_message_id") {
		asked.places[0].Since, err = parseID("last_message_id", query.first("last_message_id"))
		asked.limit, asked.answer = maxPage, answerAPIReliably
	} else {
		asked.places[0].Since, asked.goesOn, err = parseTime(query.first("since"))
		asked.limit, asked.answer = 1, answerAPI
	}
	return err
}

// answerAPI gives a time to go on from: that of the last message that the client
// has. The clock after the last look would pass over what came in between.
func answerAPI(w http.ResponseWriter, asked *ask, page *hub.Page) error {
	if len(page.Messages) == 0 {
		at := page.LastTime
		if at.IsZero() {
			at = asked.asked
		}
		return writeJSON(w, http.StatusOK, map[string]any{"status": "timeout", "timestamp": timestamp(at)})
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"status":    "message",
		"data":      json.RawMessage(page.Messages[0].JSON),
		"timestamp": timestamp(page.Messages[0].Time),
	})
}

func answerAPIReliably(w http.ResponseWriter, _ *ask, page *hub.Page) error {
	status := "messages"
	if len(page.Messages) == 0 {
		status = "timeout"
	}
	return writeBody(w, http.StatusOK, fmt.Appendf(nil, `{"status":%q,"messages":%s,"count":%d}`+"\n",
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
		return history.Since{}, false, refuse(http.StatusBadRequest, "since must be the timestamp of a message in Unix seconds, or 0.")
	case seconds == 0:
		return history.Now(), true, nil
	}
	// A float64 of these seconds is exact to a quarter of a microsecond.
	return history.AfterTime(time.UnixMicro(int64(math.Round(seconds * 1e6)))), false, nil
}
