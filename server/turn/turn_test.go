package turn_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/turn"
)

type holder struct{ times int }

func (h *holder) HandOn() { h.times++ }

func TestHandOn(t *testing.T) {
	turn.HandOn(t.Context()) // it has its own goroutine
	h := new(holder)
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), turn.Key{}, h))
	defer cancel()
	turn.HandOn(ctx)
	require.Equal(t, 1, h.times)
}
