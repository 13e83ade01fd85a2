package server

import (
	"encoding/json"
	"net/http"
	"strconv"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// publishEvent publishes a JSON object that has a message.
func (s *Server) publishEvent(w http.ResponseWriter, r *http.Request, channel string) error {
	answer, err := s.publish(w, r, channel, s.readEvent)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"status": "published", "event_id": answer.ID})
}

func (s *Server) readEvent(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	object, err := s.readObject(w, r)
	if err != nil {
		return nil, err
	}
	if isEmpty(object["message"]) {
		return nil, errNoMessage
	}
	return s.compact(object)
}

// readLastEvent asks for the first message after last_event_id, without that for
// the next new one.
func readLastEvent(query fields, asked *ask) (err error) {
	if query.has("last_event_id") {
		asked.places[0].Since, err = parseID("last_event_id", query.first("last_event_id"))
	}
	asked.limit, asked.answer = 1, answerEvent
	return err
}

func answerEvent(w http.ResponseWriter, asked *ask, page *hub.Page) error {
	if len(page.Messages) == 0 {
		return writeJSON(w, http.StatusOK, map[string]string{"status": "timeout", "channel": asked.places[0].Channel})
	}
	return writeBody(w, http.StatusOK, page.Messages[0].JSON)
}

// parseID reads the id of the last message that a client has.
func parseID(name, text string) (history.Since, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return history.Since{}, refuse(http.StatusBadRequest, "%s must be the id of a message, or 0.", name)
	}
	return history.AfterID(id), nil
}

// isEmpty tells what Python takes for false, as in "if not message".
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
