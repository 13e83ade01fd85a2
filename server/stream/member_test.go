package stream

import (
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/bus"
	"pubsub/server/crowd"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
	"pubsub/server/observe"
)

// narrow is a sink that has room for so many bytes at once.
type narrow struct {
	room   int
	wrote  []byte
	closed chan struct{}
}

func newNarrow(room int) *narrow { return &narrow{room: room, closed: make(chan struct{})} }

func (l *narrow) TryWrite(b []byte) (n int, waits bool, err error) {
	n = min(l.room, len(b))
	l.room -= n
	l.wrote = append(l.wrote, b[:n]...)
	return n, n < len(b), nil
}

func (l *narrow) Write(b []byte) (int, error) { l.wrote = append(l.wrote, b...); return len(b), nil }
func (l *narrow) CloseWrite() error           { return nil }
func (l *narrow) Close(left func())           { close(l.closed); left() }

// newCrowd is a crowd of lines of JSON on a channel with one message, and the page of that.
func newCrowd(t *testing.T) (*crowd.Crowd, *hub.Page) {
	b, err := bus.New(bus.Options{})
	require.NoError(t, err)
	log := memory.New(history.Options{})
	h := hub.New(b, log)
	_, err = h.Publish(t.Context(), history.Post{Channel: "room", Object: []byte(`{"message":"hi"}`)})
	require.NoError(t, err)
	page, err := h.Read(t.Context(), []hub.Place{{Channel: "room", Since: history.Back()}}, maxPage)
	require.NoError(t, err)
	s := &Streams{hub: h, metrics: observe.NewMetrics(h, b), tick: defaultTick}
	c, err := crowd.New(h, func(cause any, _ []string) { t.Error(cause) }).Enter([]string{"room"}, s.kind(ndjson{}))
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Leave()
		require.NoError(t, b.Close())
		require.NoError(t, log.Close())
	})
	return c, page
}

// newMember is a stream over a sink that is out of its crowd.
func newMember(c *crowd.Crowd, l sink) *member {
	m := &member{streams: new(Streams), crowd: c, way: ndjson{}, leave: func() {}, sink: l}
	m.hasSink.Store(true)
	return m
}

// A stream that is given a page in part goes on with the rest of it, and one that is given
// nothing reads it again. Both have it once.
func TestPageThatIsWrittenInPart(t *testing.T) {
	for _, room := range []int{0, 1, 20} {
		c, page := newCrowd(t)
		l := newNarrow(room)
		m := newMember(c, l)
		m.why.Store(drained) // it ends when it has all
		leave := m.Give(&crowd.News{Page: page, Text: ndjson{}.page(page), From: page.Starts, To: page.Cursors})
		require.NotNil(t, leave)
		leave()
		<-l.closed
		want := append(ndjson{}.page(page), ndjson{}.last(drained, page.Cursors)...)
		if room == 0 { // where it would go on, if it did not end
			want = ndjson{}.last(drained, page.Starts)
		}
		require.Equal(t, string(want), string(l.wrote))
	}
}

// A stream that takes all of a page stays.
func TestPageThatIsWrittenAtOnce(t *testing.T) {
	c, page := newCrowd(t)
	l := newNarrow(1 << 10)
	require.Nil(t, newMember(c, l).Give(&crowd.News{Page: page, Text: ndjson{}.page(page), From: page.Starts, To: page.Cursors}))
	require.Equal(t, string(ndjson{}.page(page)), string(l.wrote))
}

// A stream is told its own place at the end, also if it has read further than the others.
func TestLastPlaceOfAStream(t *testing.T) {
	c, page := newCrowd(t)
	l := newNarrow(1 << 10)
	m := newMember(c, l)
	at := page.Cursors
	at[0].ID++ // as if it was published right now
	require.True(t, m.join(at))
	m.dismiss(drained)
	<-l.closed
	require.Equal(t, string(ndjson{}.last(drained, at)), string(l.wrote))
	require.False(t, m.Seated())
}

// A stream that ended while it joined does not stay.
func TestStreamThatEndsWhileItJoins(t *testing.T) {
	c, page := newCrowd(t)
	m := newMember(c, newNarrow(0))
	m.over.Store(true)
	require.True(t, m.join(page.Cursors))
	require.False(t, m.Seated())
}

// A stream that is to end while it joins is told why.
func TestStreamThatIsDismissedWhileItJoins(t *testing.T) {
	c, page := newCrowd(t)
	l := newNarrow(1 << 10)
	m := newMember(c, l)
	m.why.Store(overAge)
	require.True(t, m.join(page.Cursors))
	require.False(t, m.Seated())
	<-l.closed
	require.Contains(t, string(l.wrote), `"end":"lifetime"`)
}
