// Package lru makes caches that forget what was used longest ago.
package lru

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Cache has as many entries as it may. It is not safe for concurrent use.
type Cache[K comparable, V any] = simplelru.LRU[K, V]

// New returns an empty cache for so many entries, at least 1. forgotten is called for each
// entry that leaves; it may be nil.
func New[K comparable, V any](entries int, forgotten func(K, V)) *Cache[K, V] {
	return must(simplelru.NewLRU(entries, forgotten))
}

// Shared is a [Cache] that is safe for concurrent use.
type Shared[K comparable, V any] = lru.Cache[K, V]

// NewShared returns an empty cache for so many entries, at least 1.
func NewShared[K comparable, V any](entries int) *Shared[K, V] {
	return must(lru.New[K, V](entries))
}

func must[T any](cache T, err error) T {
	if err != nil {
		panic(err) // only for a size below 1
	}
	return cache
}
