package post

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/web"
)

// A gate closes when the posts in flight have ended, and lets no other in meanwhile.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		require.NoError(t, g.enter())
		require.NoError(t, g.enter())
		g.Announce()
		require.True(t, g.Draining())
		require.NoError(t, g.enter(), "until it closes")
		closed := false
		go func() { g.Close(t.Context()); closed = true }()
		for range 3 {
			synctest.Wait()
			require.False(t, closed)
			require.ErrorIs(t, g.enter(), web.ErrDraining)
			g.leave()
		}
		synctest.Wait()
		require.True(t, closed)
		require.ErrorIs(t, g.enter(), web.ErrDraining)
	})
}

func TestGateWithoutPosts(t *testing.T) {
	var g Gate
	require.False(t, g.Draining())
	g.Close(t.Context())
	require.True(t, g.Draining())
	require.ErrorIs(t, g.enter(), web.ErrDraining)
}

// A post that does not end is not waited for longer than its caller likes.
func TestGateThatCannotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		require.NoError(t, g.enter())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		g.Close(ctx)
		require.Equal(t, time.Second, time.Since(began))
		g.leave()
	})
}
