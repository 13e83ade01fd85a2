package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
)

// copying is a log that notes what is asked of it, and heeds the bound in bytes.
type copying struct {
	history.Log
	room *room
	asks []int // bytes
}

func (l *copying) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	l.asks = append(l.asks, q.Bytes)
	if l.room != nil {
		l.room.atRead = append(l.room.atRead, l.room.taken)
	}
	page, err := l.Log.Read(ctx, q)
	n, bytes := 0, 0
	for n < len(page.Messages) && !q.Full(bytes) {
		bytes += len(page.Messages[n].JSON)
		n++
	}
	if n < len(page.Messages) {
		page.Messages, page.More = page.Messages[:n], true
		page.Cursor.ID, page.Cursor.Check = page.Messages[n-1].ID, history.CheckOf(page.Messages[n-1].Time)
	}
	return page, err
}

// room has so much.
type room struct {
	has, taken int
	atRead     []int // what was taken when the log was read
}

func (r *room) Take(bytes int) int {
	r.taken = min(bytes, r.has)
	return r.taken
}

func (r *room) Keep(bytes int) bool {
	r.taken = bytes
	return true
}

func overCopying(t *testing.T) (*hub.Hub, *copying) {
	b, err := bus.New(bus.Options{Shards: 1})
	require.NoError(t, err)
	log := memory.New(history.Options{})
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		require.NoError(t, log.Close())
	})
	l := &copying{Log: log}
	return hub.New(b, l), l
}

func fill(t *testing.T, h *hub.Hub, channel string, n int) {
	object := []byte(`{"message":"` + strings.Repeat("x", 10_000) + `"}`)
	for range n {
		_, err := h.Publish(t.Context(), history.Post{Channel: channel, Object: object})
		require.NoError(t, err)
	}
}

// Many channels share the bytes of one answer, and each has at least a message.
func TestChannelsShareBytes(t *testing.T) {
	h, l := overCopying(t)
	var places []hub.Place
	for i := range 64 {
		channel := fmt.Sprint("room", i)
		fill(t, h, channel, 4)
		places = append(places, hub.Place{Channel: channel, Since: history.All()})
	}
	page, err := h.Read(t.Context(), places, 256)
	require.NoError(t, err)
	require.Len(t, page.Messages, 64, "10 KB of each are more than 256 KB of all")
	require.LessOrEqual(t, l.asks[0], hub.PageBytes/64)
	page, err = h.ReadUpTo(t.Context(), places[:2], 256, 50_000)
	require.NoError(t, err)
	require.LessOrEqual(t, page.Size(), 70_000)
}

// A follower has room before it reads, and none while it waits.
func TestFollowerTakesRoomFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, l := overCopying(t)
		fill(t, h, channel, 9)
		f, err := h.Follow([]hub.Place{{Channel: channel, Since: history.All()}}, 9)
		require.NoError(t, err)
		defer f.Close()
		l.room = &room{has: 35_000}
		f.SetBudget(l.room)
		for _, want := range []int{3, 3, 3} {
			page, err := f.Next(t.Context())
			require.NoError(t, err)
			require.Len(t, page.Messages, want)
			require.Equal(t, page.Size(), l.room.taken)
		}
		for _, taken := range l.room.atRead {
			require.Equal(t, 35_000, taken)
		}
		f.SetTimeout(timeout)
		_, err = f.Read(t.Context())
		require.ErrorIs(t, err, hub.ErrNothing)
		require.Zero(t, l.room.taken)
	})
}
