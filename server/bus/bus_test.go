package bus_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

// awaitRing waits for a ring, and fails without one.
func awaitRing(t *testing.T, sub *bus.Subscription) {
	t.Helper()
	select {
	case <-sub.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("it did not ring")
	}
}

func hasRung(sub *bus.Subscription) bool {
	select {
	case <-sub.Ready():
		return true
	default:
		return false
	}
}

func TestSubscriptionIsLiveWhenSubscribeReturns(t *testing.T) {
	for name, channel := range map[string]string{"new": "chat-%d", "reused": "chat"} {
		t.Run(name, func(t *testing.T) {
			b := open(t, bus.Options{IdleTimeout: 50 * time.Millisecond})
			for i := range uint64(10_000) {
				channel := channel
				if name == "new" { // a channel nobody was on has no SUB to reuse
					channel = fmt.Sprintf(channel, i)
				}
				sub := subscribe(t, b, channel)
				sub.Clear()
				require.NoError(t, b.Publish(channel, i))
				awaitRing(t, sub)
				sub.Release()
			}
		})
	}
}

// zmq4's own inproc ends the process on a frame over 255 bytes.
func TestFramesOfAnySize(t *testing.T) {
	b := open(t, bus.Options{})
	for _, size := range []int{1, 2, 200, 245, 246, 247, 248, 254, 255, 256, 257, 64 << 10, 1 << 20} {
		channel := strings.Repeat("c", size)
		sub := subscribe(t, b, channel)
		require.NoError(t, b.Publish(channel, 1<<64-1))
		awaitRing(t, sub)
		sub.Release()
	}
}

func TestChannelsAreApart(t *testing.T) {
	b := open(t, bus.Options{Shards: 1})
	short, long, last := subscribe(t, b, "chat"), subscribe(t, b, "chatter"), subscribe(t, b, "last")
	for _, sub := range []*bus.Subscription{short, long, last} {
		defer sub.Release()
	}
	publish := func(channel string) {
		require.NoError(t, b.Publish(channel, 1))
		require.NoError(t, b.Publish("last", 1)) // whose SUB is written to after the others
		awaitRing(t, last)
	}
	publish("chatter")
	require.False(t, hasRung(short), "a channel whose name begins another's")
	require.True(t, hasRung(long))
	publish("chat")
	require.True(t, hasRung(short))
	require.False(t, hasRung(long))
}

// A subscriber that never looks holds one ring and harms nobody: the others hear
// every one.
func TestSlowSubscriberHarmsNobody(t *testing.T) {
	const rings = 10_000
	b := open(t, bus.Options{Shards: 1})
	slow, healthy := subscribe(t, b, "chat"), subscribe(t, b, "chat")
	defer slow.Release()
	defer healthy.Release()
	for id := range uint64(rings) {
		require.NoError(t, b.Publish("chat", id))
		awaitRing(t, healthy)
	}
	require.True(t, hasRung(slow))
	require.False(t, hasRung(slow), "rings merge")
	require.EqualValues(t, rings-1, b.Stats().Merged)

	require.NoError(t, b.Publish("chat", rings))
	awaitRing(t, healthy) // which is rung after slow
	slow.Clear()
	require.False(t, hasRung(slow), "what has rung is dropped")
}

// Rings merge, but never so that a message stays unheard: who looks after a ring,
// and after each one again, sees the last message.
func TestNoMessageIsUnheard(t *testing.T) {
	const publishers, each, followers = 4, 1000, 16
	b := open(t, bus.Options{Shards: 1})
	var log atomic.Uint64 // the id of the newest message
	var all sync.WaitGroup
	for i := range followers {
		sub := subscribe(t, b, "chat")
		all.Go(func() {
			for log.Load() < publishers*each {
				awaitRing(t, sub)
				if i%2 == 0 { // half of them are polls, each of which may have the SUB of another
					sub.Release()
					sub = subscribe(t, b, "chat")
				}
				sub.Clear()
			}
			sub.Release()
		})
	}
	for range publishers {
		all.Go(func() {
			for range each {
				require.NoError(t, b.Publish("chat", log.Add(1)))
			}
		})
	}
	all.Wait()
}

func TestWaitEndsAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Options{IdleTimeout: time.Hour})
		// Each poll has the SUB of the one before, and with it a timer.
		for _, timeout := range []time.Duration{time.Minute, 10 * time.Second, time.Hour, 5 * time.Second, 5 * time.Second} {
			sub := subscribe(t, b, "chat")
			sub.Clear()
			sub.SetTimeout(timeout)
			began := time.Now()
			require.NoError(t, sub.Err())
			<-sub.Ready()
			require.ErrorIs(t, sub.Err(), bus.ErrTimeout)
			require.Equal(t, timeout, time.Since(began))
			sub.SetTimeout(timeout) // and is not waited for
			sub.Release()
		}
		sub := subscribe(t, b, "chat")
		sub.SetTimeout(0)
		time.Sleep(2 * time.Hour)
		require.NoError(t, sub.Err(), "without a timeout")
		sub.Release()
		require.EqualValues(t, 1, b.Stats().Connects)
	})
}

func TestReleasedSubscriptionsAreClosedWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Options{IdleTimeout: time.Second})
		before := runtime.NumGoroutine()
		subs := make([]*bus.Subscription, 5000)
		for i := range subs {
			subs[i] = subscribe(t, b, fmt.Sprint("chat-", i%10))
		}
		for _, sub := range subs {
			sub.Release()
		}
		time.Sleep(500 * time.Millisecond) // the bubble's clock
		require.EqualValues(t, len(subs), b.Stats().Released)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Zero(t, b.Stats().Released)
		require.Less(t, runtime.NumGoroutine(), before+len(subs)/10, "outside of the bubble some may come and go")
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
	require.EqualValues(t, 1000, b.Stats().Released)

	b = open(t, bus.Options{})
	for i := range 3000 {
		subscribe(t, b, fmt.Sprint("new-", i)).Release()
	}
	require.Less(t, b.Stats().Released, int64(300))
}

// What was in use lately may be needed again, also when it was looked through meanwhile.
func TestReleasedSubscriptionsAreKeptForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, bus.Options{IdleTimeout: 10 * time.Second})
		subscribe(t, b, "chat").Release() // what is released is looked through 10 s from now
		time.Sleep(9 * time.Second)
		var subs []*bus.Subscription
		for range 1000 {
			subs = append(subs, subscribe(t, b, "chat"))
		}
		for _, sub := range subs {
			sub.Release()
		}
		time.Sleep(2 * time.Second)
		for range 1000 {
			subscribe(t, b, "chat").Release()
		}
		require.EqualValues(t, 1000, b.Stats().Released)
		require.EqualValues(t, 1000, b.Stats().Connects)
	})
}

// A subscription that rings where another one does is its own again once it is released.
func TestRingsElsewhere(t *testing.T) {
	b := open(t, bus.Options{})
	first, second := subscribe(t, b, "one"), subscribe(t, b, "two")
	second.RingAt(first)
	require.NoError(t, b.Publish("two", 1))
	awaitRing(t, first)
	require.False(t, hasRung(second))
	second.Release()
	first.Release()
	second = subscribe(t, b, "two")
	defer second.Release()
	require.EqualValues(t, 2, b.Stats().Connects, "it is the same one")
	require.NoError(t, b.Publish("two", 2))
	awaitRing(t, second)
}

func TestClosedBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := bus.New(bus.Options{})
		require.NoError(t, err)
		waiting, released := subscribe(t, b, "chat"), subscribe(t, b, "chat")
		released.Release()
		ended := make(chan error)
		go func() {
			<-waiting.Ready()
			ended <- waiting.Err()
			waiting.Release()
		}()
		synctest.Wait()
		require.NoError(t, b.Close())
		require.ErrorIs(t, <-ended, bus.ErrClosed)
		require.NoError(t, b.Close(), "twice is harmless")
		require.ErrorIs(t, b.Publish("chat", 1), bus.ErrClosed)
		_, err = b.Subscribe("chat")
		require.ErrorIs(t, err, bus.ErrClosed)
	}) // the bubble ends only when every goroutine of the bus has
}
