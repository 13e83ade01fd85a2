package disk

import (
	"encoding/binary"
	"encoding/json"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// The file's buckets.
var (
	messagesBucket = []byte("messages") // channel, 0, id: time, object
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
	Bytes    int    // of the messages that are there
}

func (c *channel) lastTime() time.Time { return time.UnixMicro(c.LastTime).UTC() }

// counts is 1 for a channel that has messages, or had until lately, else 0.
func (c *channel) counts() int {
	if c.Last > c.Dropped {
		return 1
	}
	return 0
}

func (c *channel) hasMessages(age time.Duration, now time.Time) bool {
	return c.Last > c.Dropped && (age == 0 || now.Sub(c.lastTime()) < age)
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

// entryBytes is what a message takes beyond its object.
const entryBytes = 64

// encode is a message in its bucket.
func encode(at time.Time, object []byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(object)), uint64(at.UnixMicro()))
	return append(b, object...)
}

func timeOf(entry []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(entry))).UTC()
}

func message(id uint64, name string, entry []byte) history.Message {
	return history.NewMessage(id, timeOf(entry), name, entry[8:])
}

func put(b *bolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, text)
}
