// Package history is the log of messages that readers go back to: per channel
// a sequence of ids without holes, bounded by count, age and bytes, that can tell
// a reader exactly what it missed.
package history

import (
	"context"
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

// Options bound what a log keeps. 0 means no limit.
type Options struct {
	Messages int           // kept per channel
	Age      time.Duration // how long a message is kept

	Bytes         int // of all messages, with what it takes to keep them
	BytesPerOwner int

	Channels         int // with messages at a time
	ChannelsPerOwner int

	// Home is a channel that always has its place among them.
	Home string

	// Waited tells whether somebody waits on a channel; none such is taken from
	// its owner to make room. nil: nobody does. It must not use the log.
	Waited func(channel string) bool
}

// KeyFor is how long the key of a post is remembered.
const KeyFor = 5 * time.Minute

// Post is a message that is to be kept.
type Post struct {
	Channel string
	Object  []byte // a compact JSON object without the [Reserved] fields; it is copied
	By      Owner
	Key     string // the same key with the same object is the same post; "" is none
}

// Receipt says that a post is kept.
type Receipt struct {
	Message Message // without its JSON if this is a repeat
	Cursor  Cursor  // right after the message
	Repeat  bool    // it was kept before, under the same key
}

// Log is what keeps the messages. Its methods are safe for concurrent use, and may
// take as long as a disk or a network does: nobody should hold a lock over them.
// The suite in historytest holds an implementation against this contract.
//
// When a context ends, a method may return early with an error. A post may be kept
// even so: its sender repeats it with its key.
type Log interface {
	// Append adds a post under its channel's next id. The ids of a channel go up
	// by 1 within an epoch, from 1 unless the channel may have been forgotten, and
	// its timestamps rise strictly, also when the clock steps back. When it returns
	// without an error the message is kept, and from then on every reader sees it;
	// no reader sees a message that may still be lost.
	//
	// A post with a key that was kept in the last 5 minutes is not kept again.
	//
	// Where there is no room, it is taken from the owner that has most: its
	// oldest messages leave, and readers are told that they have expired.
	Append(ctx context.Context, post Post) (Receipt, error)

	// Read returns what the channel has since the given place, oldest first, at
	// most limit messages. It does not wait for messages, and leaves nothing
	// behind: a channel that nobody has posted to has a cursor of the log, which
	// is still good when somebody does.
	Read(ctx context.Context, channel string, since Since, limit int) (*Page, error)

	// Channels returns the names of the channels that have messages, sorted. It
	// is shared: do not change it.
	Channels(ctx context.Context) ([]string, error)

	// Len is how many channels have messages.
	Len(ctx context.Context) (int, error)
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
	Channel string `json:"channel,omitempty"` // where several were asked for
	Reason  string `json:"reason"`
	Missed  uint64 `json:"missed,omitempty"` // messages; 0 where it cannot be known
}
