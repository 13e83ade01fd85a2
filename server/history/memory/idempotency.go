package memory

import (
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/lru"
)

const (
	keyFor   = history.KeyFor
	keyBytes = 16 << 20 // of all keys
	keyEntry = 256      // bytes of a key with its receipt and map entries
)

// key is a [history.Post.KeyHash].
type key = [16]byte

// keys remembers the receipts of posts that had a key, up to keyBytes. Beyond that the key
// that was unused for longest is forgotten. Its methods are safe for concurrent use.
type keys struct {
	posts *lru.Shared[key, *keyedPost]
}

// keyedPost is what is remembered of a post with a key.
type keyedPost struct {
	mu      sync.Mutex // held while the post is appended, so all locks of Log may be taken under it
	at      time.Time  // when the post was appended; zero before
	receipt history.Receipt
}

func newKeys() *keys {
	return &keys{posts: lru.NewShared[key, *keyedPost](keyBytes / keyEntry)}
}

// once calls add and returns its receipt. If an earlier call with the same key got a receipt,
// once returns that one, marked as a repeat. A call waits while another with the same key is
// under way. An error of add is not remembered.
func (k *keys) once(key key, add func() (history.Receipt, error)) (history.Receipt, error) {
	post := new(keyedPost)
	if earlier, found, _ := k.posts.PeekOrAdd(key, post); found {
		post = earlier
		k.posts.Get(key) // marks the key as used
	}
	post.mu.Lock()
	defer post.mu.Unlock()
	if !post.at.IsZero() && time.Since(post.at) < keyFor {
		return post.receipt, nil
	}
	receipt, err := add()
	if err == nil {
		post.at = time.Now()
		post.receipt = withoutJSON(receipt)
		post.receipt.Repeat = true
	}
	return receipt, err
}

// withoutJSON returns a receipt that does not keep its message in memory.
func withoutJSON(receipt history.Receipt) history.Receipt {
	receipt.Message.JSON = nil
	return receipt
}
