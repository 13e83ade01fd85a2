// Package history defines the log of messages. For each channel it keeps the newest messages,
// whose ids have no holes. It is bounded by count, age and bytes. It tells a reader exactly
// what it has missed. [Log] is the contract. Packages memory, disk and redis implement it,
// and package tail caches a slow one.
package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// ErrAway: the log cannot be reached, or cannot keep anything now. A post may have been
// appended all the same.
var ErrAway = errors.New("the log of messages is away")

// ErrFull: Append has no room. The post is not appended.
var ErrFull = errors.New("there is no room for messages")

// Errors of Append for the first message of a channel.
var (
	// ErrTooManyChannels: Options.Channels is reached, and no other owner has so many channels
	// that one could be displaced.
	ErrTooManyChannels = errors.New("too many channels are in use")
	// ErrTooManyOfOwner: the owner was the first to post to Options.ChannelsPerOwner channels.
	ErrTooManyOfOwner = errors.New("this owner has begun too many channels")
)

// Owner is the network from which a message was posted. When the log is full, the owner that
// has most loses messages first.
type Owner = netip.Addr

// Options bound what a log keeps. A field of 0 is no limit, so the zero value has none.
type Options struct {
	Messages int           // of each channel
	Age      time.Duration // of a message

	Bytes         int // of all messages, counted by Post.Weight
	BytesPerOwner int // of the messages of one owner, counted by Post.Weight

	Channels         int // with messages
	ChannelsPerOwner int // with messages, and to which one owner posted first

	// Home is a channel that counts towards no limit of channels and is never displaced. "" is
	// none.
	Home string

	// Waited tells whether a client waits on a channel. Such a channel is not displaced.
	// Waited must be safe for concurrent use, and must not call the log. If it is nil no
	// client waits.
	Waited func(channel string) bool
}

// KeyFor is how long the key of a post is remembered, at most.
const KeyFor = 5 * time.Minute

// Post is a message to be appended.
type Post struct {
	Channel string
	Object  []byte // a compact JSON object without the [Reserved] fields; Append copies it
	By      Owner
	Key     string // a second post with the same key is not appended; "" is none
}

// entryBytes is what a message takes beside its channel and object, in any log.
const entryBytes = 384

// KeyHash stands for one post: for the Idempotency-Key that its sender chose, and for its
// content. So the same Idempotency-Key with other content is another post. A log on disk
// keeps the hash, so the hash must not change.
func (p Post) KeyHash() (hash [16]byte) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q ", p.Channel, p.Key)
	sum.Write(p.Object)
	copy(hash[:], sum.Sum(nil))
	return hash
}

// Weight returns how many bytes the post counts towards the bounds of a log.
func (p Post) Weight() int { return Weight(p.Channel, len(p.Object)) }

// Weight returns how many bytes an object of a size counts on a channel.
func Weight(channel string, object int) int { return entryBytes + len(channel) + object }

// Receipt tells that the log has a post.
type Receipt struct {
	Message Message // without JSON if Repeat is true
	Cursor  Cursor  // right after the message
	Repeat  bool    // the post was appended before, under the same key

	// Left are messages that have left the log to make room. Copies of the log drop each of
	// them and all before it. A log without copies may leave it empty.
	Left []Left
}

// Left is a message that has left the log. It need not be the oldest of its channel.
type Left struct {
	Channel string
	ID      uint64
}

// Log keeps messages. Its methods are safe for concurrent use. They may wait for a disk or a
// network, so hold no lock that others need soon. The tests in internal/historytest check an
// implementation against this contract.
//
// When a context ends, a method may return early with an error. A post may be appended all
// the same, so the client repeats it with its key.
type Log interface {
	// Append adds a post under its channel's next id. Within an epoch the ids of a channel go
	// up by 1. They begin at 1, or higher if the log may have forgotten the channel. The
	// timestamps go up, too, even if the clock is set back. After Append returned without an
	// error, the log has the message and every reader sees it. No reader sees a message that
	// may still be lost.
	//
	// A post with a key is appended only once within [KeyFor], counted from the first time.
	//
	// If there is no room for messages, the owner that has most loses its oldest ones, even
	// from between those of others. Their readers get a gap with the reason [Expired]. If
	// there is no room for a channel, that owner loses the oldest of its channels on which no
	// client waits.
	//
	// An error is one of the Err variables above, that of ctx, or one of the disk or network.
	Append(ctx context.Context, post Post) (Receipt, error)

	// Read returns the messages of a query, oldest first: at most its limit, and none if that
	// is 0. It does not wait for messages. It takes no memory in the log, even for a channel
	// without messages. Such a channel has a cursor, too, before its first message. A channel
	// whose messages have left is not forgotten while a client reads on with a cursor of it.
	Read(ctx context.Context, q Query) (*Page, error)

	// Channels returns the names of the channels that have messages, sorted. The slice is
	// shared: do not change it.
	Channels(ctx context.Context) ([]string, error)

	// Len returns how many channels have messages.
	Len(ctx context.Context) (int, error)
}

// Query tells what to read.
type Query struct {
	Channel string
	Since   Since
	Limit   int // messages at most
	Bytes   int // of messages, after which a log that copies them may stop; 0 is no bound

	// By is the address that reads. A log that has to wait for messages bounds how many reads
	// it makes for an address at a time. The zero value is the server itself.
	By netip.Addr

	// Fresh is set for a reader that will not wait for a ring. It must get all messages that
	// any instance has appended by now. Without Fresh, a log that rings for new messages may
	// leave out those that it does not know yet.
	Fresh bool
}

// Full tells whether messages of so many bytes are enough for the query.
func (q Query) Full(bytes int) bool { return q.Bytes > 0 && bytes >= q.Bytes }

// Page is the result of Read.
type Page struct {
	Messages []Message // the slice is the caller's; the JSON in it is shared
	Start    Cursor    // before the first message
	Cursor   Cursor    // everything up to here is in Messages or in Gap
	More     bool      // the log already has more messages
	Gap      *Gap      // what the reader cannot have; nil if nothing is missing
	Flood    bool      // the newest messages came at FloodRate or faster

	// LastTime is the timestamp of the channel's newest message, also if the page does not
	// have that message. It is zero if the log knows of none.
	LastTime time.Time
}

// FloodRate is how many messages a second are a flood. It is measured over FloodSample
// messages.
const (
	FloodRate   = 200
	FloodSample = 5
)

// IsFlood tells whether there is a flood when the oldest of the newest FloodSample messages
// is so old.
func IsFlood(ago time.Duration) bool { return ago <= FloodSample*time.Second/FloodRate }

// The reasons of a [Gap].
const (
	// Expired: messages after the cursor have left the log. Gap.Missed is their number.
	Expired = "expired"
	// Restarted: the cursor is of another epoch. The page begins with the oldest message of
	// the current one.
	Restarted = "restarted"
	// Ahead: the id of the cursor is higher than that of the newest message. The page begins
	// with the oldest message.
	Ahead = "ahead"
)

// Gap tells a reader that messages after its cursor are missing, or may be.
type Gap struct {
	Channel string `json:"channel,omitempty"` // set if several channels were asked for
	Reason  string `json:"reason"`
	Missed  uint64 `json:"missed,omitempty"` // messages; 0 if the log cannot know
}

// Widen returns the gap with more missed messages, which have left the log right after it. g
// may be nil. A gap that is not Expired stays as it is.
func (g *Gap) Widen(left uint64) *Gap {
	switch {
	case left == 0 || g != nil && g.Reason != Expired:
		return g
	case g != nil:
		left += g.Missed
	}
	return &Gap{Reason: Expired, Missed: left}
}
