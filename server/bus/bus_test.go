package bus_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/bus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, options bus.Options) *bus.Bus {
	t.Helper()
	b, err := bus.New(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func subscribe(t *testing.T, b *bus.Bus, channel string) *bus.Subscription {
	t.Helper()
	sub, err := b.Subscribe(channel)
	require.NoError(t, err)
	return sub
}

func TestSubscriptionIsLiveWhenSubscribeReturns(t *testing.T) {
	const times = 10_000
	for name, reuse := range map[string]bool{"new": false, "reused": true} {
		t.Run(name, func(t *testing.T) {
			b := open(t, bus.Options{IdleTimeout: 50 * time.Millisecond})
			for i := range times {
				channel := "chat"
				if !reuse { // a channel nobody was on has no SUB to reuse
					channel = string(binary.AppendUvarint([]byte("chat"), uint64(i)))
				}
				sub := subscribe(t, b, channel)
				body := binary.AppendUvarint(nil, uint64(i))
				require.NoError(t, b.Publish(channel, body))
				got, err := sub.Recv(t.Context())
				require.NoError(t, err)
				require.Equal(t, body, got)
				sub.Release()
			}
		})
	}
}

func TestFramesArriveWhole(t *testing.T) {
	b := open(t, bus.Options{})
	sub := subscribe(t, b, "chat")
	defer sub.Release()
	for _, size := range []int{0, 1, 254, 255, 256, 257, 4 << 10, 64 << 10, 1<<20 - 1, 1 << 20} {
		body := bytes.Repeat([]byte{byte(size), 0, 1, 2, 4}, size/5+1)[:size]
		require.NoError(t, b.Publish("chat", body))
		got, err := sub.Recv(t.Context())
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, got), "%d bytes", size)
	}
}

func TestChannelsAreApart(t *testing.T) {
	b := open(t, bus.Options{Shards: 1})
	short, long := subscribe(t, b, "chat"), subscribe(t, b, "chatter")
	defer short.Release()
	defer long.Release()
	require.NoError(t, b.Publish("chatter", []byte("1")))
	require.NoError(t, b.Publish("chat", []byte("2")))
	got, err := short.Recv(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2", string(got), "a channel whose name begins another's")
	got, err = long.Recv(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", string(got))
}

// A subscriber that never reads is cut off; the others get everything. The
// publisher stays a window ahead of them at most, as they share its two cores.
func TestSlowSubscriberHarmsNobody(t *testing.T) {
	const messages, healthy, window = 10_000, 3, 200
	b := open(t, bus.Options{Shards: 1})
	slow := subscribe(t, b, "chat")
	defer slow.Release()

	var readers sync.WaitGroup
	seen := make(chan struct{}, healthy*window)
	for range healthy {
		sub := subscribe(t, b, "chat")
		readers.Go(func() {
			defer sub.Release()
			for i := range messages {
				got, err := sub.Recv(t.Context())
				if err != nil || binary.BigEndian.Uint32(got) != uint32(i) {
					t.Errorf("message %d: got % x, %v", i, got[:min(len(got), 4)], err)
					return
				}
				seen <- struct{}{}
			}
		})
	}
	body := make([]byte, 100)
	for i := range messages {
		binary.BigEndian.PutUint32(body, uint32(i))
		require.NoError(t, b.Publish("chat", bytes.Clone(body)))
		if i >= window {
			for range healthy {
				<-seen
			}
		}
	}
	for range healthy * window {
		<-seen
	}
	readers.Wait()
	_, err := slow.Recv(t.Context())
	require.ErrorIs(t, err, bus.ErrCutOff)
	_, err = slow.Recv(t.Context())
	require.ErrorIs(t, err, bus.ErrCutOff, "and stays so")

	sub := subscribe(t, b, "chat")
	defer sub.Release()
	require.NoError(t, b.Publish("chat", []byte("still here")))
	got, err := sub.Recv(t.Context())
	require.NoError(t, err)
	require.Equal(t, "still here", string(got))
}

func TestRecvEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Options{})
		hungUp := errors.New("hung up")
		for range 100 {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, hungUp)
			sub := subscribe(t, b, "chat")
			_, err := sub.Recv(ctx)
			require.ErrorIs(t, err, hungUp)
			_, err = sub.Recv(ctx)
			require.ErrorIs(t, err, hungUp, "a context that is over already")
			sub.Release()
			cancel()
		}
		sub := subscribe(t, b, "chat")
		defer sub.Release()
		require.NoError(t, b.Publish("chat", []byte("hi")))
		got, err := sub.Recv(t.Context())
		require.NoError(t, err)
		require.Equal(t, "hi", string(got), "after a hundred ends of its contexts")
	})
}

func TestRecvEndsAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := open(t, bus.Options{IdleTimeout: time.Hour}), t.Context()
		// Each poll has the SUB of the one before, and with it a timer that may
		// ring too early or too late for this poll's timeout.
		for _, timeout := range []time.Duration{time.Minute, 10 * time.Second, 30 * time.Second, time.Hour, 5 * time.Second, 5 * time.Second} {
			sub := subscribe(t, b, "chat")
			sub.SetTimeout(timeout)
			began := time.Now()
			_, err := sub.Recv(ctx)
			require.ErrorIs(t, err, bus.ErrTimeout)
			require.Equal(t, timeout, time.Since(began))
			sub.Release()
		}
		require.EqualValues(t, 1, b.Stats().Connects)
	})
}

// The end of a context and a message race: the next poll must get what is
// published after it subscribed, and nothing may be torn.
func TestReuseUnderFire(t *testing.T) {
	b := open(t, bus.Options{Shards: 1})
	for i := range 5_000 {
		ctx, cancel := context.WithCancel(t.Context())
		sub := subscribe(t, b, "chat")
		go cancel()
		require.NoError(t, b.Publish("chat", []byte("early")))
		if got, err := sub.Recv(ctx); err == nil {
			require.Equal(t, "early", string(got))
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		sub.Release()

		sub = subscribe(t, b, "chat")
		require.NoError(t, b.Publish("chat", binary.AppendUvarint([]byte("late"), uint64(i))))
		for {
			got, err := sub.Recv(t.Context())
			require.NoError(t, err)
			if string(got) != "early" { // a late ring of the poll before is allowed
				require.Equal(t, binary.AppendUvarint([]byte("late"), uint64(i)), got)
				break
			}
		}
		sub.Release()
	}
}

func TestReleasedSubscriptionsAreClosedWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Options{IdleTimeout: time.Second})
		before := runtime.NumGoroutine()
		subs := make([]*bus.Subscription, 500)
		for i := range subs {
			subs[i] = subscribe(t, b, "chat")
		}
		require.Greater(t, runtime.NumGoroutine(), before+len(subs))
		for _, sub := range subs {
			sub.Release()
		}
		time.Sleep(3 * time.Second) // the bubble's clock
		synctest.Wait()
		require.LessOrEqual(t, runtime.NumGoroutine(), before)
	})
}

// Many polls of a busy channel are kept; those of ever new channels are not.
func TestReleasedSubscriptionsAreBounded(t *testing.T) {
	b := open(t, bus.Options{})
	var subs []*bus.Subscription
	for range 1000 {
		subs = append(subs, subscribe(t, b, "busy"))
	}
	for _, sub := range subs {
		sub.Release()
	}
	require.EqualValues(t, 1000, b.Stats().Released)
	for range 1000 {
		subscribe(t, b, "busy").Release()
	}
	require.EqualValues(t, 1000, b.Stats().Connects)

	b = open(t, bus.Options{})
	for i := range 3000 {
		subscribe(t, b, fmt.Sprint("new-", i)).Release()
	}
	require.Less(t, b.Stats().Released, int64(300))
}

func TestFloodedWhileIdleIsCutOffAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Options{Buffer: 1000, IdleTimeout: time.Hour})
		subscribe(t, b, "chat").Release()
		for range 100 {
			require.NoError(t, b.Publish("chat", make([]byte, 100)))
		}
		synctest.Wait()
		sub := subscribe(t, b, "chat")
		defer sub.Release()
		require.NoError(t, b.Publish("chat", []byte("hi")))
		got, err := sub.Recv(t.Context())
		require.NoError(t, err)
		require.Equal(t, "hi", string(got))
	})
}

func TestClosedBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := bus.New(bus.Options{})
		require.NoError(t, err)
		waiting, released := subscribe(t, b, "chat"), subscribe(t, b, "chat")
		released.Release()
		ended := make(chan error)
		go func() {
			_, err := waiting.Recv(t.Context())
			waiting.Release()
			ended <- err
		}()
		synctest.Wait()
		require.NoError(t, b.Close())
		require.ErrorIs(t, <-ended, bus.ErrCutOff)
		require.NoError(t, b.Close(), "twice is harmless")
		require.ErrorIs(t, b.Publish("chat", nil), bus.ErrClosed)
		_, err = b.Subscribe("chat")
		require.ErrorIs(t, err, bus.ErrClosed)
	}) // the bubble ends only when every goroutine of the bus has
}
