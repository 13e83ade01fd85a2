package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type gap struct {
	Reason string
	Missed *int64
}

// missed is the gap's count, or -1 where the server cannot know it.
func (g *gap) missed() int64 {
	if g == nil || g.Missed == nil {
		return -1
	}
	return *g.Missed
}

func TestGapAhead(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	say(t, base, channel, "a")
	head := say(t, base, channel, "b").Cursor
	b := read(t, base, channel, "since="+strings.TrimSuffix(head, "2")+"7")
	require.NotNil(t, b.Gap)
	assert.Equal(t, "ahead", b.Gap.Reason)
	assert.Equal(t, []any{"a", "b"}, b.texts(), "what there is")
	assert.Equal(t, head, b.Cursor)
	assert.Nil(t, read(t, base, channel, "timeout=0&since="+b.Cursor).Gap, "said once")
}

func TestGapExpiredByCount(t *testing.T) {
	if !ours(t, noCursors) || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HISTORY_MESSAGES=5")
	cursor := read(t, s, "c", "since=now&timeout=0").Cursor
	second := ""
	for i := range 10 {
		if r := say(t, s, "c", string('0'+rune(i))); i == 1 {
			second = r.Cursor
		}
	}
	for since, missed := range map[string]int64{cursor: 5, second: 3} {
		b := read(t, s, "c", "since="+since)
		require.NotNil(t, b.Gap)
		assert.Equal(t, "expired", b.Gap.Reason)
		assert.Equal(t, missed, b.Gap.missed())
		assert.Equal(t, []any{"5", "6", "7", "8", "9"}, b.texts())
		assert.Nil(t, read(t, s, "c", "timeout=0&since="+b.Cursor).Gap, "said once")
	}
	for _, since := range []string{"all", "-7", "now"} {
		assert.Nil(t, read(t, s, "c", "timeout=0&since="+since).Gap, since)
	}
}

func TestGapExpiredByAge(t *testing.T) {
	if !ours(t, noCursors) || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HISTORY_AGE=200ms")
	cursor := read(t, s, "c", "since=now&timeout=0").Cursor
	say(t, s, "c", "a")
	say(t, s, "c", "b")
	deadline := time.Now().Add(patience)
	b := read(t, s, "c", "timeout=0&since="+cursor)
	for len(b.Messages) > 0 && time.Now().Before(deadline) {
		b = read(t, s, "c", "timeout=0&since="+cursor)
	}
	assert.Empty(t, b.Messages)
	require.NotNil(t, b.Gap)
	assert.Contains(t, []string{"expired", "restarted"}, b.Gap.Reason, "restarted if the whole channel is forgotten")
}

func TestGapRestarted(t *testing.T) {
	if !ours(t, noCursors) || !ownServers(t) {
		return
	}
	t.Parallel()
	before, after := startServer(t), startServer(t)
	cursor := say(t, before, "c", "before").Cursor

	empty := read(t, after, "c", "since="+cursor)
	require.NotNil(t, empty.Gap, "an empty log answers at once, too: there is a gap to tell of")
	assert.Equal(t, "restarted", empty.Gap.Reason)
	assert.Empty(t, empty.Messages)

	say(t, after, "c", "after")
	b := read(t, after, "c", "since="+cursor)
	require.NotNil(t, b.Gap)
	assert.Equal(t, "restarted", b.Gap.Reason)
	assert.Equal(t, []any{"after"}, b.texts())
	assert.Equal(t, []any{"after"}, read(t, after, "c", "timeout=0&since="+empty.Cursor).texts())
}
