package hub_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

// slow is a log that honours contexts, and does not confirm the first post that it keeps.
// Its contract allows both.
type slow struct {
	history.Log
	once sync.Once
}

func (l *slow) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return l.Log.Read(ctx, q)
}

func (l *slow) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	if ctx.Err() != nil {
		return history.Receipt{}, ctx.Err()
	}
	receipt, err := l.Log.Append(ctx, post)
	l.once.Do(func() { receipt, err = history.Receipt{}, context.DeadlineExceeded })
	return receipt, err
}

func onSlowLog(t *testing.T) *hub.Hub {
	b, err := bus.New(bus.Options{Shards: 1})
	require.NoError(t, err)
	log := memory.New(history.Options{})
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		require.NoError(t, log.Close())
	})
	return hub.New(b, &slow{Log: log})
}

// A poll that ends with a drain, or whose client has left, still finds what there is.
func TestEndedContexts(t *testing.T) {
	h := onSlowLog(t)
	drain := errors.New("draining")
	ended, end := context.WithCancelCause(t.Context())
	end(drain)
	next, err := h.Follow([]hub.Place{{Channel: channel}}, 9)
	require.NoError(t, err)
	defer next.Close()
	page, err := next.Next(ended)
	require.ErrorIs(t, err, drain)
	require.Len(t, page.Cursors, 1)

	post := history.Post{Channel: channel, Object: []byte(`{}`)}
	_, err = h.Publish(ended, post)
	require.ErrorIs(t, err, context.DeadlineExceeded, "which is the log's")
	page, err = next.Next(ended)
	require.NoError(t, err)
	require.Len(t, page.Messages, 1)
}

// What was kept and not confirmed rings when it is repeated.
func TestRepeatsRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := onSlowLog(t)
		next, err := h.Follow([]hub.Place{{Channel: channel}}, 9)
		require.NoError(t, err)
		defer next.Close()
		next.SetTimeout(timeout)
		time.AfterFunc(time.Second, func() {
			post := history.Post{Channel: channel, Object: []byte(`{}`), Key: "k"}
			_, err := h.Publish(t.Context(), post)
			require.Error(t, err)
			receipt, err := h.Publish(t.Context(), post)
			require.NoError(t, err)
			require.True(t, receipt.Repeat)
		})
		began := time.Now()
		_, err = next.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// A follower on a SUB that was used before has no timeout but its own.
func TestTimeoutIsNotInherited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		_, err := w.follow(t, t.Context(), history.Now(), 1, timeout)
		require.ErrorIs(t, err, hub.ErrTimeout)
		next, err := w.hub.Follow([]hub.Place{{Channel: channel}}, 1)
		require.NoError(t, err)
		defer next.Close()
		_, err = next.Read(t.Context())
		require.ErrorIs(t, err, hub.ErrNothing)
		_, err = w.hub.Follow(nil, 1)
		require.Error(t, err, "no place")
	})
}

// A message that comes between a follower's look at the log and its wait is not waited for.
func TestMessageBetweenReadingAndWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		w.log.afterRead = func() {
			w.publish(t, 1)
			synctest.Wait() // until it has rung
		}
		next, err := w.hub.Follow([]hub.Place{{Channel: channel}}, 9)
		require.NoError(t, err)
		defer next.Close()
		next.SetTimeout(timeout)
		began := time.Now()
		page, err := next.Next(t.Context())
		require.NoError(t, err)
		require.Len(t, page.Messages, 1)
		require.Zero(t, time.Since(began))
	})
}
