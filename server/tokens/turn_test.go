package tokens

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/turn"
)

// handsOn is called when who serves in turn is told that a request may wait.
type handsOn func()

func (h handsOn) HandOn() { h() }

// Whoever serves others in turn does not wait for keys.
func TestWaitForKeysHandsOn(t *testing.T) {
	times, asked := 0, make(chan struct{})
	ctx := context.WithValue(t.Context(), turn.Key{}, handsOn(sync.OnceFunc(func() { times++; close(asked) })))
	wait(ctx, new(remote), closed)
	require.Zero(t, times, "they are there")
	wait(ctx, new(remote), asked)
	require.Equal(t, 1, times)
}
