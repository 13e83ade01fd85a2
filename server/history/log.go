// Package history defines the log of messages. For each channel it keeps the newest
// messages, whose ids have no holes. It is bounded by count, age and bytes, and tells a
// reader exactly what it missed. [Log] is the contract; package memory implements it.
package history

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// ErrAway is the error of a log that cannot be reached, or that cannot keep anything now.
// A post may be kept even so.
var ErrAway = errors.New("the log of messages is away")

// ErrFull is the error of Append where there is no room. The post is not kept.
var ErrFull = errors.New("there is no room for messages")

// Errors of Append when it is the first message of a channel.
var (
	// ErrTooManyChannels: as many channels have messages as Options.Channels allows, and
	// no other owner has so many of them that one could be displaced.
	ErrTooManyChannels = errors.New("too many channels are in use")
	// ErrTooManyOfOwner: the owner was the first to post to as many channels as
	// Options.ChannelsPerOwner allows.
	ErrTooManyOfOwner = errors.New("this owner has begun too many channels")
)

// Owner is the network that a message was posted from. When the log is full, the owner
// that has most makes room for the others.
type Owner = netip.Addr

// Options bound what a log keeps. The zero value has no limits, and 0 is no limit.
type Options struct {
	Messages int           // of each channel
	Age      time.Duration // of a message

	Bytes         int // of all messages, counted as Post.Weight does
	BytesPerOwner int // of the messages that an owner posted, counted in the same way

	Channels         int // that have messages
	ChannelsPerOwner int // that have messages, and to which the owner posted first

	// Home is a channel that counts towards no limit on channels and is never displaced.
	// "" is none.
	Home string

	// Waited tells whether somebody waits on a channel. Such a channel is not displaced
	// to make room for another. nil: nobody waits. It must not call the log, and must be
	// safe for concurrent use.
	Waited func(channel string) bool
}

// KeyFor is how long the key of a post is remembered at most.
const KeyFor = 5 * time.Minute

// Post is a message that is to be appended.
type Post struct {
	Channel string
	Object  []byte // a compact JSON object without the [Reserved] fields; Append copies it
	By      Owner
	Key     string // marks a repeat of the same object; "" is none
}

// entryBytes is what a message takes beyond what was posted, whatever the log.
const entryBytes = 384

// Weight is how many bytes the post counts in a log's bounds.
func (p Post) Weight() int { return Weight(p.Channel, len(p.Object)) }

// Weight is how many bytes an object of a size counts on a channel.
func Weight(channel string, object int) int { return entryBytes + len(channel) + object }

// Receipt says that the log has a post.
type Receipt struct {
	Message Message // without JSON if Repeat is true
	Cursor  Cursor  // right after the message
	Repeat  bool    // the post was appended earlier, under the same key

	// Left are places up to which messages have left the log to make room, for who keeps
	// copies of them. A log of which nobody does may leave it out.
	Left []Left
}

// Left is a message that has left the log from a place that need not be the oldest.
type Left struct {
	Channel string
	ID      uint64
}

// Log keeps messages. Its methods are safe for concurrent use. They may take as long as a
// disk or a network takes, so do not hold a lock while you call them. The tests in
// historytest check an implementation against this contract.
//
// When a context ends, a method may return early with an error. A post may be appended
// all the same: its sender repeats it with its key.
type Log interface {
	// Append adds a post under its channel's next id. Within an epoch the ids of a
	// channel go up by 1. They begin at 1, or higher if the log may have forgotten the
	// channel. The timestamps go up, too, also when the clock is set back. When Append
	// returns without an error, the log has the message and every reader sees it. No
	// reader sees a message that may still be lost.
	//
	// A post with a key is appended only once within [KeyFor], counted from the first
	// time.
	//
	// If there is no room, the owner that has most makes room: its oldest messages leave
	// the log, also from between those of others, and readers are told of a gap with the
	// reason [Expired]. For a channel it is the oldest of its channels on which nobody waits.
	Append(ctx context.Context, post Post) (Receipt, error)

	// Read returns what a query asks for, oldest first: at most its limit of
	// messages, and none if that is 0. It does not wait for messages. It takes no
	// memory in the log, also if nobody has posted to the channel. Such a channel has a
	// cursor, too: it is before the first message. A channel whose messages have left is
	// not forgotten while somebody reads on with a cursor of it.
	Read(ctx context.Context, q Query) (*Page, error)

	// Channels returns the names of the channels that have messages, sorted. The slice is
	// shared: do not change it.
	Channels(ctx context.Context) ([]string, error)

	// Len returns how many channels have messages.
	Len(ctx context.Context) (int, error)
}

// Query is what a reader asks for.
type Query struct {
	Channel string
	Since   Since
	Limit   int // messages
	Bytes   int // of messages, which are enough for a log that has to copy them; 0 is no bound

	// By is the address for which it is read. A log that has to ask for messages lets no
	// address have more than a share of what it asks at a time. Invalid is the server itself.
	By netip.Addr

	// Fresh is for a reader that will not wait: it must get all that is kept by now,
	// by whatever instance. For one that will wait, a log that rings for what others
	// keep may answer with what it knows.
	Fresh bool
}

// Full tells whether messages of so many bytes are enough.
func (q Query) Full(bytes int) bool { return q.Bytes > 0 && bytes >= q.Bytes }

// Page is what one call of Read returns.
type Page struct {
	Messages []Message // the slice is the reader's own; the JSON in it is shared
	Start    Cursor    // before the first message
	Cursor   Cursor    // everything up to here is in Messages or in the Gap
	More     bool      // the log already has more messages
	Gap      *Gap      // what the reader asked for and cannot have; nil if there is none
	Flood    bool      // the newest messages came at FloodRate or faster

	// LastTime is the timestamp of the channel's newest message, whether or not it is in
	// the page. It is zero if the log knows of none.
	LastTime time.Time
}

// FloodRate is how many messages a second are a flood; the newest [FloodSample] count.
const (
	FloodRate   = 200
	FloodSample = 5
)

// IsFlood tells whether it is one when the oldest of the newest few came so long ago.
func IsFlood(ago time.Duration) bool { return ago <= FloodSample*time.Second/FloodRate }

// The reasons of a [Gap].
const (
	// Expired: messages after the cursor have left the log. Gap.Missed is how many.
	Expired = "expired"
	// Restarted: the cursor is of another epoch. The page begins with the oldest message
	// of this one.
	Restarted = "restarted"
	// Ahead: the cursor's id is higher than that of the newest message. The page begins
	// with the oldest message.
	Ahead = "ahead"
)

// Gap tells a reader that messages after its cursor are missing, or may be.
type Gap struct {
	Channel string `json:"channel,omitempty"` // set if several channels were asked for
	Reason  string `json:"reason"`
	Missed  uint64 `json:"missed,omitempty"` // messages; 0 if the log cannot know
}

// Widen adds messages to a gap that have left the log right behind it. Only an expired one
// counts what was missed.
func (g *Gap) Widen(left uint64) *Gap {
	switch {
	case left == 0 || g != nil && g.Reason != Expired:
		return g
	case g != nil:
		left += g.Missed
	}
	return &Gap{Reason: Expired, Missed: left}
}
