package disk

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// The buckets of the file, with their keys and values.
var (
	messagesBucket = []byte("messages") // channel, 0, id: time, owner, object; after the message has left, time only
	ownedBucket    = []byte("owned")    // owner, time, channel, 0, id: weight
	channelsBucket = []byte("channels") // name: channel as JSON
	keysBucket     = []byte("keys")     // hash: receipt as JSON
	keyTimesBucket = []byte("keytimes") // time, hash: nothing
	epochsBucket   = []byte("epochs")   // "log": epochs as JSON
)

var epochsKey = []byte("log")

// channel holds all about a channel but its messages.
type channel struct {
	Epoch    string
	Dropped  uint64 // id of the newest dropped message, whose time stays to check cursors
	Last     uint64 // id of the newest message
	LastTime int64  // timestamp of that message, in µs
	Newest   int64  `json:",omitempty"` // timestamp of the newest message that has not left, if that is another

	By    history.Owner `json:",omitzero"` // the first to post since the channel had no messages
	Begun int64         // when By posted, in µs
	Seen  int64         // when the last message left, or a reader with a cursor came after that, in µs
}

func (c *channel) lastTime() time.Time { return time.UnixMicro(c.LastTime).UTC() }

func (c *channel) hasMessages(age time.Duration, now time.Time) bool {
	newest := c.lastTime()
	if c.Newest != 0 {
		newest = time.UnixMicro(c.Newest)
	}
	return c.Last > c.Dropped && (age == 0 || now.Sub(newest) < age)
}

// epochs are the log's own, for channels without any message yet.
type epochs struct {
	Now, Before string
	Since       int64 // µs
}

// key returns the key of a message in its bucket.
func key(channel string, id uint64) []byte {
	b := append(make([]byte, 0, len(channel)+9), channel...)
	return binary.BigEndian.AppendUint64(append(b, 0), id)
}

// nameOf returns the channel and the id in the key of a message.
func nameOf(key []byte) (channel string, id uint64) {
	return string(key[:len(key)-9]), binary.BigEndian.Uint64(key[len(key)-8:])
}

// encode returns the value of a message in its bucket.
func encode(at time.Time, by history.Owner, object []byte) []byte {
	b := make([]byte, 0, 25+len(object))
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro()))
	return append(append(b, ownerKey(by)...), object...)
}

// ownerKey returns an owner after its length.
func ownerKey(by history.Owner) []byte {
	bytes := by.AsSlice()
	return append([]byte{byte(len(bytes))}, bytes...)
}

// entry is the value of a message in its bucket.
type entry []byte

func (e entry) time() time.Time { return time.UnixMicro(int64(binary.BigEndian.Uint64(e))).UTC() }

// left tells whether the message has left.
func (e entry) left() bool { return len(e) == 8 }

// hasOwner tells whether the entry is of a format with owners. Before that, an object, which
// begins with a brace, followed the time.
func (e entry) hasOwner() bool { return !e.left() && e[8] != '{' }

// owner returns the owner after its length.
func (e entry) owner() []byte { return e[8 : 9+e[8]] }

func (e entry) object() []byte { return e[9+e[8]:] }

func (e entry) message(id uint64, channel string) history.Message {
	return history.NewMessage(id, e.time(), channel, e.object())
}

// ownedKey returns the key of a message in the list of its owner, which is sorted by time.
func (e entry) ownedKey(message []byte) []byte {
	b := append(make([]byte, 0, 25+len(message)), e.owner()...)
	b = append(b, e[:8]...)
	return append(b, message...)
}

// messageOf returns the key of a message from its key in an owner's list.
func messageOf(ownedKey []byte) []byte { return ownedKey[1+ownedKey[0]+8:] }

func ownerOf(ownedKey []byte) history.Owner {
	owner, _ := netip.AddrFromSlice(ownedKey[1 : 1+ownedKey[0]]) // not valid for a message without an owner
	return owner
}

func put(b *bolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, text)
}

// channelIn returns all about a channel, the zero value if it is forgotten.
func channelIn(channels *bolt.Bucket, name string) (c channel, err error) {
	if text := channels.Get([]byte(name)); text != nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}
