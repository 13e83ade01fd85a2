package redis

import (
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

// A Redis may have more memory than an int of 32 bits can tell.
func TestBytesOfALargeRedis(t *testing.T) {
	l := &Log{options: history.Options{Bytes: 1 << 30}, share: shareOfMessages, most: new(atomic.Int64)}
	for _, each := range []struct {
		most int64
		want int
	}{{0, 1 << 30}, {1 << 30, 1 << 29}, {2 << 30, 1 << 30}, {3 << 30, 1 << 30}, {4 << 30, 1 << 30}, {math.MaxInt64, 1 << 30}} {
		l.most.Store(each.most)
		require.Equal(t, each.want, l.mostBytes(), each.most)
	}
}
