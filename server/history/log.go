// Package history is the log of messages that readers go back to: per channel
// a sequence of ids without holes, bounded by count, age and bytes, that can tell
// a reader exactly what it missed.
package history

import (
	"errors"
	"net/netip"
	"time"
)

// Append's answers for a channel that has no messages yet.
var (
	// ErrTooManyChannels: as many channels as there may be have messages, and
	// none can be taken from somebody who has more of them.
	ErrTooManyChannels = errors.New("too many channels are in use")
	// ErrTooManyOfOwner: the owner has begun as many as one may.
	ErrTooManyOfOwner = errors.New("this owner has begun too many channels")
)

// Owner is whose message it is: the network that it was posted from. What is kept
// is shared out among owners.
type Owner = netip.Addr

// Log is what keeps the messages. Its methods are safe for concurrent use.
// The suite in historytest holds an implementation against this contract.
type Log interface {
	// Append adds object under the channel's next id. object is a compact JSON
	// object without the [Reserved] fields; it is copied. The ids of a channel
	// go up by 1 within an epoch, from 1 unless the channel may have been forgotten,
	// and its timestamps rise strictly, also when the clock steps back. The cursor returned is right after the message.
	//
	// Where there is no room, it is taken from the owner that has most: its
	// oldest messages leave, and readers are told that they have expired.
	Append(channel string, object []byte, by Owner) (Message, Cursor, error)

	// Read returns what the channel has since the given place, oldest first, at
	// most limit messages. It never waits, and leaves nothing behind: a channel
	// that nobody has posted to has a cursor of the log, which is still good when
	// somebody does.
	Read(channel string, since Since, limit int) (*Page, error)

	// Channels returns the names of the channels that have messages, sorted. It
	// is shared: do not change it.
	Channels() []string

	// Len is how many channels have messages.
	Len() int
}

// Page is what a reader gets at once.
type Page struct {
	Messages []Message // the reader's own, but for their JSON
	Cursor   Cursor    // everything up to here is in Messages or in the Gap
	More     bool      // there is more already
	Gap      *Gap      // what the reader asked for and cannot have, nil if nothing
	Flood    bool      // the newest messages came at FloodRate or faster

	// LastTime is when the channel's newest message came, whether or not it is in
	// the page; zero if it never had one that is known of.
	LastTime time.Time
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
