package tail_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/history/tail"
)

// meddling is a log in which something happens when it has been read or appended to, and
// before its caller knows of that.
type meddling struct {
	history.Log
	afterRead   func()
	afterAppend func(history.Cursor)
}

func (m *meddling) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	page, err := m.Log.Read(ctx, q)
	if then := m.afterRead; then != nil {
		m.afterRead = nil
		then()
	}
	return page, err
}

func (m *meddling) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	receipt, err := m.Log.Append(ctx, post)
	if then := m.afterAppend; then != nil {
		m.afterAppend = nil
		then(receipt.Cursor)
	}
	return receipt, err
}

// meddle stands before a log to meddle with.
func meddle(t *testing.T) (*tail.Log, *meddling) {
	behind := memory.New(history.Options{})
	t.Cleanup(func() { require.NoError(t, behind.Close()) })
	m := &meddling{Log: behind}
	return tail.New(m, tail.Options{Shared: true}), m
}

func post(t *testing.T, log history.Log) history.Cursor {
	receipt, err := log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
	require.NoError(t, err)
	return receipt.Cursor
}

func read(t *testing.T, log history.Log, since history.Since) (ids []uint64) {
	page, err := log.Read(t.Context(), history.Query{Channel: "chat", Since: since, Limit: 9})
	require.NoError(t, err)
	for _, m := range page.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// What is heard of while the log behind is asked may not be in its answer, so it is asked
// again.
func TestNewsWhileTheLogIsAsked(t *testing.T) {
	for name, tell := range map[string]func(*tail.Log, history.Cursor){
		"heard":   func(l *tail.Log, at history.Cursor) { l.Heard("chat", at) },
		"doubted": func(l *tail.Log, _ history.Cursor) { l.Doubt() },
	} {
		t.Run(name, func(t *testing.T) {
			l, behind := meddle(t)
			first := post(t, behind) // by another instance, as is the next
			behind.afterRead = func() { tell(l, post(t, behind)) }
			read(t, l, history.All())
			require.Equal(t, []uint64{2}, read(t, l, history.After(first)))
		})
	}
}

// A post that is heard of before its own Append returns may be fetched meanwhile. It is
// given once.
func TestOwnPostThatIsFetchedToo(t *testing.T) {
	l, behind := meddle(t)
	first := post(t, l)
	require.Equal(t, []uint64{1}, read(t, l, history.All()))
	asked, kept, reader := make(chan struct{}), make(chan struct{}), make(chan []uint64)
	behind.afterRead = func() { close(asked); <-kept }
	behind.afterAppend = func(at history.Cursor) {
		l.Heard("chat", at)
		go func() { reader <- read(t, l, history.After(first)) }()
		<-asked
	}
	post(t, l)
	close(kept)
	require.Equal(t, []uint64{2}, <-reader)
	require.Equal(t, []uint64{1, 2}, read(t, l, history.All()))
}
