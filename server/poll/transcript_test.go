package poll

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

// failing is a log with short pages that fails at one read.
type failing struct {
	history.Log
	failAt, reads int
}

func (l *failing) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	if l.reads++; l.reads == l.failAt {
		return nil, errors.New("failed")
	}
	q.Limit = min(q.Limit, 3)
	return l.Log.Read(ctx, q)
}

// A read that fails in the middle costs a transcript nothing that it has.
func TestTranscriptAfterAFailure(t *testing.T) {
	b, err := bus.New(bus.Options{Shards: 1})
	require.NoError(t, err)
	defer b.Close()
	m := memory.New(history.Options{})
	defer m.Close()
	h := hub.New(b, &failing{Log: m, failAt: 3}) // the look, the first page, the second
	var want strings.Builder
	for range 5 {
		_, err := h.Publish(t.Context(), history.Post{Channel: "chat", Object: []byte(`{"nick":"n","message":"m"}`)})
		require.NoError(t, err)
		want.WriteString("n: m\n")
	}
	all, admit := newTranscripts(h), func() error { return nil }
	_, err = all.now(t.Context(), "chat", admit)
	require.Error(t, err)
	said, err := all.now(t.Context(), "chat", admit)
	require.NoError(t, err)
	require.Equal(t, want.String(), said.text)
}
