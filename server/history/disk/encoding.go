package disk

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// The file's buckets.
var (
	messagesBucket = []byte("messages") // channel, 0, id: time, owner, object; of one that has left time alone
	ownedBucket    = []byte("owned")    // owner, time, channel, 0, id: weight
	channelsBucket = []byte("channels") // name: channel as JSON
	keysBucket     = []byte("keys")     // hash: receipt as JSON
	keyTimesBucket = []byte("keytimes") // time, hash: nothing
	epochsBucket   = []byte("epochs")   // "log": epochs as JSON
)

var epochsKey = []byte("log")

// channel is what is known of a channel besides its messages.
type channel struct {
	Epoch    string
	Dropped  uint64 // id of the newest message that is not handed out any more; it stays to be compared
	Last     uint64 // id of the newest message
	LastTime int64  // its timestamp, in µs
	Newest   int64  `json:",omitempty"` // the timestamp of the newest message that is there, if that is another

	By    history.Owner `json:",omitzero"` // who was the first to post since it had no messages
	Begun int64         // when, in µs
	Seen  int64         // since when it has no messages, or when somebody read on there since, in µs
}

func (c *channel) lastTime() time.Time { return time.UnixMicro(c.LastTime).UTC() }

func (c *channel) hasMessages(age time.Duration, now time.Time) bool {
	newest := c.lastTime()
	if c.Newest != 0 {
		newest = time.UnixMicro(c.Newest)
	}
	return c.Last > c.Dropped && (age == 0 || now.Sub(newest) < age)
}

// epochs are the log's own, for channels that nobody has posted to.
type epochs struct {
	Now, Before string
	Since       int64 // µs
}

// key is where a message stands in its bucket.
func key(channel string, id uint64) []byte {
	b := append(make([]byte, 0, len(channel)+9), channel...)
	return binary.BigEndian.AppendUint64(append(b, 0), id)
}

// nameOf is the channel and the id of a message that stands there.
func nameOf(key []byte) (channel string, id uint64) {
	return string(key[:len(key)-9]), binary.BigEndian.Uint64(key[len(key)-8:])
}

// encode is a message in its bucket.
func encode(at time.Time, by history.Owner, object []byte) []byte {
	b := make([]byte, 0, 25+len(object))
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro()))
	return append(append(b, ownerKey(by)...), object...)
}

// ownerKey is an owner with its length before it.
func ownerKey(by history.Owner) []byte {
	bytes := by.AsSlice()
	return append([]byte{byte(len(bytes))}, bytes...)
}

// entry is a message in its bucket.
type entry []byte

func (e entry) time() time.Time { return time.UnixMicro(int64(binary.BigEndian.Uint64(e))).UTC() }

// left tells whether the message has left to make room.
func (e entry) left() bool { return len(e) == 8 }

// hasOwner tells whether it is of the format that has one: an object begins with a brace.
func (e entry) hasOwner() bool { return !e.left() && e[8] != '{' }

// owner is who posted it, with its length before it.
func (e entry) owner() []byte { return e[8 : 9+e[8]] }

func (e entry) object() []byte { return e[9+e[8]:] }

func (e entry) message(id uint64, channel string) history.Message {
	return history.NewMessage(id, e.time(), channel, e.object())
}

// ownedKey is where a message stands in the list of its owner, oldest first.
func (e entry) ownedKey(message []byte) []byte {
	b := append(make([]byte, 0, 25+len(message)), e.owner()...)
	b = append(b, e[:8]...)
	return append(b, message...)
}

// messageOf is where a message stands of an owner's list.
func messageOf(ownedKey []byte) []byte { return ownedKey[1+ownedKey[0]+8:] }

func ownerOf(ownedKey []byte) history.Owner {
	owner, _ := netip.AddrFromSlice(ownedKey[1 : 1+ownedKey[0]]) // of nobody it is not valid
	return owner
}

func put(b *bolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, text)
}

// channelIn is what is known of a channel; of one that is forgotten nothing.
func channelIn(channels *bolt.Bucket, name string) (c channel, err error) {
	if text := channels.Get([]byte(name)); text != nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}
