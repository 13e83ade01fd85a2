package bus

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/go-zeromq/zmq4"
	"github.com/stretchr/testify/require"
)

// These tests hold what this package saves by what it knows of the insides of
// zmq4. They fail when a new release of zmq4 is different there.

const perSUB = 1000 // SUBs that the figures below are measured with

func oneShard(t *testing.T) *Bus {
	b, err := New(Options{Shards: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func openMany(t *testing.T, b *Bus) (subs []*Subscription) {
	for i := range perSUB {
		sub, err := b.Subscribe(fmt.Sprint("chat-", i%10))
		require.NoError(t, err)
		subs = append(subs, sub)
	}
	synctest.Wait()
	return subs
}

func closeMany(subs []*Subscription) {
	for _, sub := range subs {
		sub.Release()
		sub.bus.pool.close() // without the idle timeout
	}
	synctest.Wait()
}

// bytesInUse is what heap and stacks take after a collection.
func bytesInUse() (heap, stacks int) {
	runtime.GC()
	runtime.GC() // gives back the stacks that the first has found unused
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc), int(stats.StackInuse)
}

// Both readers have ended; the one that is left removes closed connections.
func TestOpenSUBHasOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneShard(t)
		synctest.Wait()
		before := runtime.NumGoroutine()
		subs := openMany(t, b)
		require.InDelta(t, perSUB, runtime.NumGoroutine()-before, perSUB/10, "beside those of the runtime and of tests before")
		closeMany(subs)
		require.InDelta(t, 0, runtime.NumGoroutine()-before, perSUB/10)
	})
}

// Nothing reads at the PUB's end, so nothing but SetClosed tells it who has gone.
func TestPUBForgetsClosedSUBs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneShard(t)
		topics := b.shards[0].pub.(zmq4.Topics).Topics
		subs := openMany(t, b)
		require.Len(t, topics(), 1+10)
		closeMany(subs)
		require.Equal(t, []string{""}, topics(), "that of the queue")
	})
}

func TestSUBsAreSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneShard(t)
		heap, stacks := bytesInUse()
		subs := openMany(t, b)
		heapOpen, stacksOpen := bytesInUse()
		require.Less(t, (heapOpen-heap)/perSUB, 5<<10, "bytes of an open SUB")
		require.Less(t, (stacksOpen-stacks)/perSUB, 4<<10, "bytes of its stack")
		for id := range uint64(500) {
			require.NoError(t, b.Publish("chat-1", id))
			synctest.Wait()
		}
		heapRung, _ := bytesInUse()
		require.Less(t, (heapRung-heapOpen)/(perSUB/10), 300, "bytes of rings that nobody has looked at")
		closeMany(subs)
		clear(subs)
		heapClosed, _ := bytesInUse()
		require.Less(t, (heapClosed-heap)/perSUB, 1<<10, "bytes that zmq4 keeps of a closed SUB")
	})
}

// hearing is a bell that notes whether the queue still counted a ring as waiting
// when it was heard.
type hearing struct {
	queue *queue
	early bool
	rings chan struct{}
}

func (h *hearing) ring(frame []byte) {
	if frame == nil {
		return
	}
	h.early = h.early || h.queue.len() > 0
	h.rings <- struct{}{}
}

// If a SUB were written to before that of the queue, a message published in between
// would have no ring of its own, and the SUB would not hear of it.
func TestRingIsTakenBeforeItIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneShard(t)
		s := b.shards[0]
		var sockets []*subSocket
		heard := &hearing{queue: s.queue, rings: make(chan struct{}, perSUB)}
		for i := range 100 {
			socket, err := s.dial(topic("chat"), heard)
			require.NoError(t, err)
			sockets = append(sockets, socket)
			if i%3 == 0 { // some leave
				half := len(sockets) / 2
				require.NoError(t, sockets[half].close())
				sockets = slices.Delete(sockets, half, half+1)
			}
			synctest.Wait()
			require.NoError(t, b.Publish("chat", 1))
			for range sockets {
				<-heard.rings
			}
		}
		require.False(t, heard.early)
		for _, socket := range sockets {
			require.NoError(t, socket.close())
		}
	})
}
