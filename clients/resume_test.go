package clients_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	pubsub "pubsub/clients/go"
	"pubsub/internal/pubsubtest"
)

// full starts a server with some messages in two channels.
func full(t *testing.T, messages int, settings ...string) *pubsubtest.Server {
	s := pubsubtest.Start(t, settings...)
	for i := range messages {
		for _, channel := range []string{"room", "news"} {
			s.Post(t, fmt.Sprintf("/pub/%s?message=%s%%20%d", channel, channel, i+1), pubsubtest.Body{})
		}
	}
	return s
}

var ways = []pubsub.Way{pubsub.SSE, pubsub.Poll, pubsub.WebSocket}

// read reads the room and the news from a place, up to so many messages of both. It returns
// the texts and the cursors after them.
func read(t *testing.T, url string, way pubsub.Way, since string, n int) (texts, cursors []string) {
	for message, err := range pubsub.New(url).Follow(t.Context(), pubsub.From{Since: since, Way: way}, "room", "news") {
		require.NoError(t, err)
		texts, cursors = append(texts, message.Text), append(cursors, message.Cursor)
		if len(texts) == n {
			break
		}
	}
	return texts, cursors
}

// A program that stored the cursor of any message goes on right after it, in any way: with
// all that it has not had, and nothing that it has had.
func TestEachCursorIsAPlaceToGoOnFrom(t *testing.T) {
	t.Parallel()
	const messages = 4
	url := full(t, messages).URL.String()
	for _, way := range ways {
		texts, cursors := read(t, url, way, "all", 2*messages)
		for i, cursor := range cursors[:2*messages-1] {
			for _, next := range ways {
				rest, _ := read(t, url, next, cursor, 2*messages-1-i)
				require.ElementsMatch(t, texts[i+1:], rest, "in the way %v from %q of %v", next, cursor, way)
			}
		}
	}
}

// The same for Python.
func TestEachCursorOfPythonIsAPlaceToGoOnFrom(t *testing.T) {
	t.Parallel()
	const messages = 4
	url := full(t, messages).URL.String()
	python := drivers[1]
	for _, way := range python.ways {
		first := startOne(t, "first", python.read(t, url, way, "all", "room", "news"))
		var texts, cursors []string
		for range 2 * messages {
			line := first.next()
			texts, cursors = append(texts, line.Message), append(cursors, line.Cursor)
		}
		for i, cursor := range cursors[:2*messages-1] {
			if i%pubsubtest.Size(3, 6) != 0 { // each is a process of its own
				continue
			}
			rest := startOne(t, "rest", python.read(t, url, "poll", cursor, "room", "news"))
			var after []string
			for range 2*messages - 1 - i {
				after = append(after, rest.next().Message)
			}
			require.ElementsMatch(t, texts[i+1:], after, "from %q of %s", cursor, way)
		}
	}
}

// A part of what is missing may be what the reader had after the server's cursor.
func TestAGapIsLessWhatTheReaderHad(t *testing.T) {
	t.Parallel()
	s := full(t, 10, "PUBSUB_HISTORY_MESSAGES=10")
	url := s.URL.String()
	start := s.Get(t, "/sub/room?since=all&timeout=0").Object(t)["start"].(string)
	s.Post(t, "/pub/room?message=11", pubsubtest.Body{})
	s.Post(t, "/pub/room?message=12", pubsubtest.Body{}) // the first two are gone
	for _, way := range ways {
		for had, missed := range []uint64{2, 1, 0, 0} {
			var gaps uint64
			for message, err := range pubsub.New(url).Follow(t.Context(), pubsub.From{Since: fmt.Sprintf("%s+%d", start, had), Way: way}, "room") {
				if gap, ok := errors.AsType[*pubsub.Gap](err); ok {
					require.Equal(t, "room", gap.Channel)
					gaps += gap.Missed
					continue
				}
				require.NoError(t, err)
				require.EqualValues(t, max(had, 2)+1, message.ID)
				break
			}
			require.Equal(t, missed, gaps, "%v, having had %d", way, had)
		}
	}
}

// A poll that a program makes by itself is as good as the loop.
func TestPoll(t *testing.T) {
	t.Parallel()
	s := full(t, 3)
	c := pubsub.New(s.URL.String())
	page, err := c.Poll(t.Context(), []string{"room"}, "-2", 0)
	require.NoError(t, err)
	require.Len(t, page.Messages, 2)
	require.False(t, page.More)
	rest, err := c.Poll(t.Context(), []string{"room"}, page.Messages[0].Cursor, 0)
	require.NoError(t, err)
	require.Equal(t, page.Messages[1:], rest.Messages)
	require.Equal(t, page.Cursor, rest.Cursor)
	empty, err := c.Poll(t.Context(), []string{"room"}, rest.Cursor, 0)
	require.NoError(t, err)
	require.Empty(t, empty.Messages)
	_, err = c.Poll(t.Context(), []string{"no room"}, "all", 0)
	refused, ok := errors.AsType[*pubsub.Error](err)
	require.True(t, ok)
	require.Equal(t, 400, refused.Status)
	require.Contains(t, refused.Text, "A channel's name")
}
