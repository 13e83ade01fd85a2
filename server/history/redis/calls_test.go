package redis

import (
	"testing"
	"testing/synctest"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

// Who reads waits for a call while half of them read, and the rest are left for posts.
func TestCallsAreLeftForPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{calls: make(chan struct{}, manyCalls), reads: make(chan struct{}, manyReads)}
		for range manyReads {
			l.reads <- struct{}{}
			l.calls <- struct{}{}
		}
		for _, read := range []func() error{
			func() error { _, err := l.Read(t.Context(), history.Query{Channel: "chat"}); return err },
			func() error { _, err := l.Len(t.Context()); return err },
			func() error { _, err := l.ask(t.Context(), new(rueidis.Lua), nil, nil); return err },
		} {
			require.ErrorIs(t, read(), history.ErrAway)
		}
		require.Less(t, len(l.calls), manyCalls)
	})
}
