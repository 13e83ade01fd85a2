package hub

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Bounds of what [Once] remembers.
const (
	onceFor  = 5 * time.Minute
	onceKeys = 100_000
)

// Once answers a request that is sent again under the same key as it answered
// the first, without doing it again. It remembers a key for 5 minutes and
// 100,000 keys at most: past that the one used longest ago is forgotten early.
type Once[T any] struct {
	keys *lru.Cache[string, *outcome[T]]
}

type outcome[T any] struct {
	mu    sync.Mutex // held while the first request does it
	done  bool
	at    time.Time
	value T
}

// NewOnce returns a Once that remembers nothing yet.
func NewOnce[T any]() *Once[T] {
	keys, err := lru.New[string, *outcome[T]](onceKeys)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &Once[T]{keys: keys}
}

// Do returns do's value, from an earlier call with the key if there was one. A
// call with the key of another that is under way waits for that. An error is
// not remembered. The empty key is nobody's: do is always called.
func (o *Once[T]) Do(key string, do func() (T, error)) (T, error) {
	if key == "" {
		return do()
	}
	mine := new(outcome[T])
	if earlier, found, _ := o.keys.PeekOrAdd(key, mine); found {
		mine = earlier
	}
	mine.mu.Lock()
	defer mine.mu.Unlock()
	if mine.done && time.Since(mine.at) < onceFor {
		return mine.value, nil
	}
	value, err := do()
	if err == nil {
		mine.value, mine.done, mine.at = value, true, time.Now()
	}
	return value, err
}
