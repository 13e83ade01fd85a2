package stream

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
	"pubsub/server/observe"
)

// narrow is a link that has room for so many bytes at once.
type narrow struct {
	room   int
	wrote  []byte
	during func() // is called within the first write
	closed chan struct{}
}

func newNarrow(room int) *narrow { return &narrow{room: room, closed: make(chan struct{})} }

func (l *narrow) TryWrite(b []byte) (n int, waits bool, err error) {
	if during := l.during; during != nil {
		l.during = nil
		during()
	}
	n = min(l.room, len(b))
	l.room -= n
	l.wrote = append(l.wrote, b[:n]...)
	return n, n < len(b), nil
}

func (l *narrow) Write(b []byte) (int, error) { l.wrote = append(l.wrote, b...); return len(b), nil }
func (l *narrow) CloseWrite() error           { return nil }
func (l *narrow) Close(left func())           { close(l.closed); left() }

// newCrowd is a crowd of lines of JSON, which nobody serves, and a page that it is to
// deliver.
func newCrowd(t *testing.T) (*crowd, *hub.Page) {
	b, err := bus.New(bus.Options{})
	require.NoError(t, err)
	log := memory.New(history.Options{})
	h := hub.New(b, log)
	follower, err := h.Follow([]hub.Place{{Channel: "room"}}, maxPage)
	require.NoError(t, err)
	t.Cleanup(func() {
		follower.Close()
		require.NoError(t, b.Close())
		require.NoError(t, log.Close())
	})
	say := func() {
		_, err := h.Publish(t.Context(), history.Post{Channel: "room", Object: []byte(`{"message":"hi"}`)})
		require.NoError(t, err)
	}
	say() // so that the channel has its epoch
	_, err = follower.Read(t.Context())
	require.ErrorIs(t, err, hub.ErrNothing, "it begins here")
	say()
	page, err := follower.Read(t.Context())
	require.NoError(t, err)
	streams := &Streams{hub: h, metrics: observe.NewMetrics(h, b)}
	return &crowd{streams: streams, channels: []string{"room"}, way: lines{}, follower: follower, at: page.Starts}, page
}

// newMember is a stream over a link, which is in no shard yet.
func (c *crowd) newMember(l link) *member {
	m := &member{streams: c.streams, crowd: c, leave: func() {}, link: l}
	m.linked.Store(true)
	return m
}

// A shard that is made while others are written to is of those who have that page.
func TestShardThatIsMadeMeanwhile(t *testing.T) {
	c, page := newCrowd(t)
	full := newShard(c, c.at)
	full.closed = true
	l, begun := newNarrow(1000), newShard(c, c.at)
	require.True(t, begun.join(c.newMember(l), c.at))
	c.shards = []*shard{begun, full}
	var made *shard
	l.during = func() { made = c.shardFor() }
	c.deliver(page)
	require.Equal(t, string(lines{}.page(page)), string(l.wrote))
	require.Len(t, c.shards, 3)
	require.Equal(t, page.Cursors, made.at)
}

// A stream that is given a page in part goes on with the rest of it, and one that is given
// nothing reads it again. Both have it once.
func TestPageThatIsWrittenInPart(t *testing.T) {
	for _, room := range []int{0, 1, 20} {
		c, page := newCrowd(t)
		l, s := newNarrow(room), newShard(c, c.at)
		m := c.newMember(l)
		require.True(t, s.join(m, c.at))
		c.shards = []*shard{s}
		m.why.Store(drained) // it ends when it has all
		c.deliver(page)
		<-l.closed
		want := append(lines{}.page(page), lines{}.last(drained, page.Cursors)...)
		if room == 0 { // where it would go on, if it did not end
			want = lines{}.last(drained, page.Starts)
		}
		require.Equal(t, string(want), string(l.wrote))
		require.Empty(t, s.all())
	}
}

// A stream that has read further than the others is told its own place at the end.
func TestLastPlaceOfAStreamThatIsAhead(t *testing.T) {
	c, page := newCrowd(t)
	l, s := newNarrow(1000), newShard(c, c.at)
	m := c.newMember(l)
	require.True(t, s.join(m, page.Cursors))
	require.True(t, s.dismissOne(m, drained))
	<-l.closed
	require.Equal(t, string(lines{}.last(drained, page.Cursors)), string(l.wrote))
	require.False(t, s.dismissOne(m, drained), "it is not here any more")
}

// A stream that ended while it joined stays in no shard.
func TestStreamThatEndsWhileItJoins(t *testing.T) {
	c, page := newCrowd(t)
	for _, at := range [][]history.Cursor{page.Starts, page.Cursors} {
		s, m := newShard(c, page.Starts), c.newMember(newNarrow(0))
		m.over.Store(true)
		require.True(t, s.join(m, at))
		require.Empty(t, s.all())
		require.Nil(t, m.shard.Load())
	}
}

// A stream that is to end while it joins is told why.
func TestStreamThatIsDismissedWhileItJoins(t *testing.T) {
	c, page := newCrowd(t)
	for _, at := range [][]history.Cursor{page.Starts, page.Cursors} {
		l := newNarrow(1 << 10)
		s, m := newShard(c, page.Starts), c.newMember(l)
		m.why.Store(overAge)
		require.True(t, s.join(m, at))
		require.Empty(t, s.all())
		<-l.closed
		require.Contains(t, string(l.wrote), `"end":"lifetime"`)
	}
}

// A drain gives a crowd all that there is, also if that is several pages.
func TestLastLookOfADrain(t *testing.T) {
	c, page := newCrowd(t)
	l, s := newNarrow(1<<20), newShard(c, page.Cursors)
	require.True(t, s.join(c.newMember(l), page.Cursors))
	c.at, c.shards = page.Cursors, []*shard{s}
	const messages = 2*maxPage + 1
	for range messages {
		_, err := c.streams.hub.Publish(t.Context(), history.Post{Channel: "room", Object: []byte(`{"message":"hi"}`)})
		require.NoError(t, err)
	}
	c.finish()
	<-l.closed
	lines := strings.Split(strings.TrimSpace(string(l.wrote)), "\n")
	const pages = 3 // each with a line of where it ends
	require.Len(t, lines, messages+pages+1)
	require.Contains(t, lines[messages+pages], `"end":"draining"`)
	require.Nil(t, c.shardFor(), "nobody can join any more")
}
