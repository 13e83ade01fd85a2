package hub

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"pubsub/server/history"
)

// Bounds of what [Once] remembers.
const (
	onceFor   = 5 * time.Minute
	onceBytes = 16 << 20
	onceEntry = 256 // bytes of a key with its outcome and its place in the maps
)

// Key stands for one post: what the client calls it, together with what is in it.
// The same name for something else is another post, so that nobody's message is
// taken for somebody else's.
type Key [16]byte

// KeyOf makes the key of a post to a channel.
func KeyOf(channel, name string, object []byte) Key {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q ", channel, name)
	sum.Write(object)
	return Key(sum.Sum(nil))
}

// Once answers a post that is sent again as it answered the first, without
// publishing it again. It remembers a key for 5 minutes, and as many as fit into
// 16 MiB: past that the one used longest ago is forgotten early.
type Once struct {
	keys *lru.Cache[Key, *outcome]
}

type outcome struct {
	mu     sync.Mutex // held while the first post is published
	done   bool
	at     time.Time
	cursor history.Cursor
}

// NewOnce returns a Once that remembers nothing yet.
func NewOnce() *Once {
	keys, err := lru.New[Key, *outcome](onceBytes / onceEntry)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Once{keys: keys}
}

// Do returns what publish returns, or returned in an earlier call with the key. A
// call with the key of another that is under way waits for that. An error is not
// remembered.
func (o *Once) Do(key Key, publish func() (history.Cursor, error)) (history.Cursor, error) {
	mine := new(outcome)
	if earlier, found, _ := o.keys.PeekOrAdd(key, mine); found {
		mine = earlier
		o.keys.Get(key) // marks it used
	}
	mine.mu.Lock()
	defer mine.mu.Unlock()
	if mine.done && time.Since(mine.at) < onceFor {
		return mine.cursor, nil
	}
	cursor, err := publish()
	if err == nil {
		mine.cursor, mine.done, mine.at = cursor, true, time.Now()
	}
	return cursor, err
}
