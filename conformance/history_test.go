package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Back through what is kept, page by page, and forward again.
func TestHistory(t *testing.T) {
	if !ours(t, "it keeps no history") {
		return
	}
	t.Parallel()
	channel := fresh()
	var want []any
	for i := range 10 {
		text := fmt.Sprint("message ", i)
		say(t, base, channel, text)
		want = append(want, text)
	}
	var got []any
	query := "limit=4"
	for range 10 {
		page := batchOf(t, base.Get(t, "/history/"+channel+"?"+query))
		if len(page.Messages) == 0 {
			break
		}
		require.Nil(t, page.Gap)
		got = append(page.texts(), got...)
		query = "limit=4&before=" + page.Start
		forward := read(t, base, channel, "timeout=0&since="+page.Start)
		require.Equal(t, got, forward.texts(), "start is a cursor as any")
	}
	require.Equal(t, want, got)
}

// A page of long messages is cut at its old end: nothing is passed over on the way back.
func TestHistoryOfLongMessages(t *testing.T) {
	if !ours(t, "it keeps no history") {
		return
	}
	t.Parallel()
	channel := fresh()
	const messages = 60
	for i := range messages {
		say(t, base, channel, fmt.Sprint(i, strings.Repeat("x", 12_000)))
	}
	var ids []int64
	for query := ""; len(ids) < messages; {
		page := batchOf(t, base.Get(t, "/history/"+channel+"?"+query))
		require.NotEmpty(t, page.Messages)
		for i := len(page.Messages) - 1; i >= 0; i-- {
			ids = append(ids, page.Messages[i].ID)
		}
		query = "before=" + page.Start
	}
	for i, id := range ids {
		require.EqualValues(t, messages-i, id)
	}
}

func TestMalformedHistory(t *testing.T) {
	if !ours(t, "it keeps no history") {
		return
	}
	t.Parallel()
	for _, query := range []string{"before=nonsense", "before=now", "limit=0", "limit=many", "limit=1000"} {
		base.Get(t, "/history/chat?"+query).RequireRefused(t, http.StatusBadRequest)
	}
}

// An answer tells the place before its first message.
func TestStart(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	first := say(t, base, channel, "one")
	say(t, base, channel, "two")
	page := read(t, base, channel, "timeout=0&since="+first.Cursor)
	require.Equal(t, first.Cursor, page.Start)
	require.Equal(t, []any{"two"}, page.texts())
}
