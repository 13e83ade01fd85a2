package tail_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/history/tail"
)

// stuck is a log whose reads wait until they are let go.
type stuck struct {
	history.Log
	free    string // a channel whose reads do not wait
	release chan struct{}
	under   atomic.Int64
	bytes   atomic.Int64 // the most that was asked for
}

func (s *stuck) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	s.under.Add(1)
	defer s.under.Add(-1)
	s.bytes.Store(max(s.bytes.Load(), int64(q.Bytes)))
	if q.Channel != s.free {
		<-s.release
	}
	return s.Log.Read(ctx, q)
}

// However many reads one address asks for, few are under way, and others come at once. Who
// waits too long for its turn is told that the log is away.
func TestReadsOfAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &stuck{Log: memory.New(history.Options{}), release: make(chan struct{})}
		defer behind.Log.(*memory.Log).Close()
		l := tail.New(behind, tail.Options{Shared: true})
		var all sync.WaitGroup
		var away atomic.Int64
		read := func(by string, since history.Since) {
			all.Go(func() {
				_, err := l.Read(t.Context(), history.Query{Channel: by, Since: since, Limit: 9, Bytes: 99, Fresh: true, By: netip.MustParseAddr(by)})
				if err != nil {
					require.ErrorIs(t, err, history.ErrAway)
					away.Add(1)
				}
			})
		}
		for range 100 {
			read("192.0.2.1", history.Back())
		}
		for range 100 {
			read("192.0.2.1", history.All())
		}
		synctest.Wait()
		require.EqualValues(t, 8, behind.under.Load())
		read("192.0.2.2", history.Back())
		synctest.Wait()
		require.EqualValues(t, 9, behind.under.Load())
		time.Sleep(3 * time.Second)
		require.EqualValues(t, 192, away.Load())
		close(behind.release)
		all.Wait()
		require.LessOrEqual(t, behind.bytes.Load(), int64(256<<10))
	})
}

// Who waits for a turn to read what others read meanwhile needs none.
func TestReadsOfOthersServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		behind := &stuck{Log: memory.New(history.Options{}), free: "free", release: make(chan struct{})}
		defer behind.Log.(*memory.Log).Close()
		l := tail.New(behind, tail.Options{Shared: true})
		read := func(by, channel string, since history.Since) error {
			_, err := l.Read(t.Context(), history.Query{Channel: channel, Since: since, Limit: 9, Bytes: 99, By: netip.MustParseAddr(by)})
			return err
		}
		var turns sync.WaitGroup
		for i := range 8 {
			turns.Go(func() { assert.NoError(t, read("192.0.2.1", fmt.Sprint("stuck", i), history.Now())) })
		}
		synctest.Wait()
		require.EqualValues(t, 8, behind.under.Load(), "as many as an address may have")
		began, served := time.Now(), make(chan error, 100)
		for range cap(served) {
			go func() { served <- read("192.0.2.1", "free", history.Now()) }()
		}
		synctest.Wait()
		require.Empty(t, served)
		require.NoError(t, read("192.0.2.2", "free", history.Now()))
		for range cap(served) {
			require.NoError(t, <-served)
		}
		require.Zero(t, time.Since(began))
		close(behind.release)
		turns.Wait()
	})
}

// A reader with a cursor that waits for a turn is served by what others have read since it came,
// although more was heard of meanwhile.
func TestReadsOfOthersServeACursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		messages := memory.New(history.Options{})
		defer messages.Close()
		others := &meddling{Log: messages}
		behind := &stuck{Log: others, free: "chat", release: make(chan struct{})}
		l := tail.New(behind, tail.Options{Shared: true})
		first := post(t, l)
		ask := func(by, channel string, since history.Since) (ids []uint64) {
			page, err := l.Read(t.Context(), history.Query{Channel: channel, Since: since, Limit: 9, Bytes: 99, By: netip.MustParseAddr(by)})
			if assert.NoError(t, err) {
				for _, m := range page.Messages {
					ids = append(ids, m.ID)
				}
			}
			return ids
		}
		require.Equal(t, []uint64{1}, ask("192.0.2.2", "chat", history.All()))
		var turns sync.WaitGroup
		for i := range 8 {
			turns.Go(func() { ask("192.0.2.1", fmt.Sprint("stuck", i), history.Now()) })
		}
		synctest.Wait()
		require.EqualValues(t, 8, behind.under.Load(), "as many as an address may have")

		l.Heard("chat", post(t, messages)) // at another instance, as is the next
		served := make(chan []uint64, 1)
		began := time.Now()
		go func() { served <- ask("192.0.2.1", "chat", history.After(first)) }()
		synctest.Wait()
		require.Empty(t, served)
		others.afterRead = func() { l.Heard("chat", post(t, messages)) }
		ask("192.0.2.2", "chat", history.Now())
		require.Equal(t, []uint64{2}, <-served)
		require.Zero(t, time.Since(began))
		close(behind.release)
		turns.Wait()
	})
}
