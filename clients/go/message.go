package pubsub

import (
	"encoding/json"
	"math"
	"time"
)

// Message is what somebody posted, as the server keeps it.
type Message struct {
	ID      uint64 // 1, 2, 3 … in its channel, without holes
	Channel string
	Time    time.Time // when the server took it; rises within a channel
	Nick    string    // of who posted it; empty if it does not say
	Text    string    // its field "message"; empty if that is no text

	// JSON is the whole message, on one line.
	JSON json.RawMessage
	// Cursor is the place after this message, of all channels that were asked for. A
	// program that stores it goes on from there with [From].Since after a restart, in
	// whatever way. It may be in the form of the clients, CURSOR+N, which is N messages
	// after a cursor of the server, since an answer with many messages has one cursor.
	Cursor string
}

// Decode decodes the message, with all fields that were posted, into v as
// [json.Unmarshal] does.
func (m *Message) Decode(v any) error { return json.Unmarshal(m.JSON, v) }

// UnmarshalJSON reads a message of the server. It leaves Cursor as it is.
func (m *Message) UnmarshalJSON(text []byte) error {
	var posted struct {
		ID            uint64
		Channel       string
		Timestamp     float64
		Nick, Message any // anything can be posted
	}
	if err := json.Unmarshal(text, &posted); err != nil {
		return err
	}
	m.ID, m.Channel = posted.ID, posted.Channel
	m.Time = time.UnixMicro(int64(math.Round(posted.Timestamp * 1e6)))
	m.Nick, _ = posted.Nick.(string)
	m.Text, _ = posted.Message.(string)
	m.JSON = append(json.RawMessage(nil), text...)
	return nil
}
