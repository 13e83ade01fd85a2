// Package history is the log of messages that readers go back to: per channel
// a sequence of ids without holes, bounded by count and age, that can tell a
// reader exactly what it missed.
package history

import "errors"

// ErrTooManyChannels is Append's and Read's answer for a new channel when the
// log has as many as it may and none of them can be forgotten.
var ErrTooManyChannels = errors.New("too many channels are in use")

// Log is what keeps the messages. Its methods are safe for concurrent use.
// The suite in historytest holds an implementation against this contract.
type Log interface {
	// Append adds object under the channel's next id. object is a compact JSON
	// object without the [Reserved] fields; it is copied. The ids of a channel
	// go 1, 2, 3 … within an epoch, and its timestamps rise strictly, also when
	// the clock steps back. The cursor returned is right after the message.
	Append(channel string, object []byte) (Message, Cursor, error)

	// Read returns what the channel has since the given place, oldest first, at
	// most limit messages. It never waits. A channel that nobody has used yet
	// begins with this call, so that its cursor holds.
	Read(channel string, since Since, limit int) (*Page, error)

	// Channels returns the names of the channels in the log, sorted.
	Channels() []string
}

// Page is what a reader gets at once.
type Page struct {
	Messages []Message // shared by all readers: do not change
	Cursor   Cursor    // everything up to here is in Messages or in the Gap
	More     bool      // the limit cut the page short
	Gap      *Gap      // what the reader asked for and cannot have, nil if nothing
	Flood    bool      // the newest messages came at FloodRate or faster
}

// FloodRate is how many messages a second are a flood; the newest few count.
const FloodRate = 200

// Reasons of a Gap.
const (
	// Expired: messages after the cursor have left the log. Missed is exact.
	Expired = "expired"
	// Restarted: the cursor is of another epoch; the page begins with the
	// oldest message of this one.
	Restarted = "restarted"
	// Ahead: the cursor names a message that this epoch has not had; the page
	// begins with the oldest message.
	Ahead = "ahead"
)

// Gap tells a reader that its cursor cannot be honoured in full.
type Gap struct {
	Reason string `json:"reason"`
	Missed uint64 `json:"missed,omitempty"` // messages; 0 where it cannot be known
}
