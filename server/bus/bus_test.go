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

// A subscriber that never reads holds one message and harms nobody: the others
// hear of everything, and are never behind for long.
func TestSlowSubscriberHarmsNobody(t *testing.T) {
	const messages, healthy = 10_000, 3
	b := open(t, bus.Options{Shards: 1})
	slow := subscribe(t, b, "chat")
	defer slow.Release()

	var readers sync.WaitGroup
	for range healthy {
		sub := subscribe(t, b, "chat")
		readers.Go(func() {
			defer sub.Release()
			for last := uint32(0); last < messages; {
				got, err := sub.Recv(t.Context())
				if err != nil || binary.BigEndian.Uint32(got) < last {
					t.Errorf("behind message %d: got % x, %v", last, got[:min(len(got), 4)], err)
					return
				}
				last = binary.BigEndian.Uint32(got)
			}
		})
	}
	publish := func(n uint32) {
		require.NoError(t, b.Publish("chat", binary.BigEndian.AppendUint32(nil, n)))
	}
	for n := range uint32(messages) {
		publish(n)
	}
	heard := make(chan struct{})
	go func() {
		readers.Wait()
		close(heard)
	}()
	require.Eventually(t, func() bool { // of two messages at a time the first is heard
		publish(messages)
		return isClosed(heard)
	}, 10*time.Second, time.Millisecond)
	got, err := slow.Recv(t.Context())
	require.NoError(t, err)
	require.Zero(t, binary.BigEndian.Uint32(got), "the one that came first")
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// What is published faster than it can be sent on waits in one place for each
// channel, and a busy channel does not hold up another.
func TestQueueIsBounded(t *testing.T) {
	const subs, messages = 500, 2000
	b := open(t, bus.Options{Shards: 1})
	for range subs {
		defer subscribe(t, b, "busy").Release()
	}
	calm := subscribe(t, b, "calm")
	defer calm.Release()
	for range messages {
		require.NoError(t, b.Publish("busy", make([]byte, 1000)))
		require.Less(t, b.Stats().Queued, int64(100))
	}
	require.NoError(t, b.Publish("calm", []byte("hi")))
	require.LessOrEqual(t, b.Stats().Queued, int64(64+2), "one of each channel beside those in the PUB")
	got, err := calm.Recv(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hi", string(got))
	require.Positive(t, b.Stats().Merged)
	require.Eventually(t, func() bool { return b.Stats().Queued == 0 }, 10*time.Second, time.Millisecond)
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
			require.Regexp(t, "^(early|late)", string(got), "one of the poll before may ring as well")
		} else {
			require.ErrorIs(t, err, context.Canceled)
		}
		sub.Release()

		sub = subscribe(t, b, "chat")
		require.NoError(t, b.Publish("chat", binary.AppendUvarint([]byte("late"), uint64(i))))
		got, err := sub.Recv(t.Context())
		require.NoError(t, err)
		require.Regexp(t, "^(early|late)", string(got))
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

// A SUB that waits to be used again holds one message at most, whatever is
// published, and is used again.
func TestReleasedSubscriptionsStaySmall(t *testing.T) {
	b := open(t, bus.Options{IdleTimeout: time.Hour})
	var subs []*bus.Subscription
	for range 200 {
		subs = append(subs, subscribe(t, b, "chat"))
	}
	for _, sub := range subs {
		sub.Release()
	}
	before := heap()
	for range 500 {
		require.NoError(t, b.Publish("chat", make([]byte, 1000)))
	}
	require.Eventually(t, func() bool { return b.Stats().Queued == 0 }, 10*time.Second, time.Millisecond)
	require.Less(t, heap()-before, int64(200*4<<10))
	for range subs {
		sub := subscribe(t, b, "chat")
		defer sub.Release()
		sub.Clear()
	}
	require.EqualValues(t, len(subs), b.Stats().Connects)
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
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
		require.ErrorIs(t, <-ended, bus.ErrClosed)
		require.NoError(t, b.Close(), "twice is harmless")
		require.ErrorIs(t, b.Publish("chat", nil), bus.ErrClosed)
		_, err = b.Subscribe("chat")
		require.ErrorIs(t, err, bus.ErrClosed)
	}) // the bubble ends only when every goroutine of the bus has
}
