package memory

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"pubsub/server/history"
)

// Bounds of the keys that are remembered.
const (
	keyFor   = history.KeyFor
	keyBytes = 16 << 20
	keyEntry = 256 // bytes of a key with its receipt and its place in the maps
)

// key stands for one post: what the client calls it, together with what is in it.
// The same name for something else is another post, so that nobody's message is
// taken for somebody else's.
type key [16]byte

func keyOf(post history.Post) key {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q ", post.Channel, post.Key)
	sum.Write(post.Object)
	return key(sum.Sum(nil))
}

// keys remembers the receipts of posts that had a key, as many as fit into 16 MiB:
// past that the one used longest ago is forgotten early.
type keys struct {
	receipts *lru.Cache[key, *receipt]
}

type receipt struct {
	mu   sync.Mutex // held while the first post is appended
	at   time.Time  // zero until then
	kept history.Receipt
}

func newKeys() *keys {
	receipts, err := lru.New[key, *receipt](keyBytes / keyEntry)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &keys{receipts: receipts}
}

// once returns what add returns, or returned in an earlier call with the key, then
// as a repeat. A call with the key of another that is under way waits for that. An
// error is not remembered.
func (k *keys) once(key key, add func() (history.Receipt, error)) (history.Receipt, error) {
	mine := new(receipt)
	if earlier, found, _ := k.receipts.PeekOrAdd(key, mine); found {
		mine = earlier
		k.receipts.Get(key) // marks it used
	}
	mine.mu.Lock()
	defer mine.mu.Unlock()
	if !mine.at.IsZero() && time.Since(mine.at) < keyFor {
		return mine.kept, nil
	}
	kept, err := add()
	if err == nil {
		mine.at = time.Now()
		mine.kept = history.Receipt{Message: history.Message{ID: kept.Message.ID, Time: kept.Message.Time}, Cursor: kept.Cursor, Repeat: true}
	}
	return kept, err
}
