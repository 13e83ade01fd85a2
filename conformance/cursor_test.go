package conformance_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const noCursors = "it forgets a message once it is sent"

type message struct {
	ID        int64
	Timestamp float64
	Channel   string
	Nick      any
	Message   any
}

type batch struct {
	Messages []message
	Cursor   string
	Start    string
	More     *bool
	Gap      *gap
}

type receipt struct {
	Status string
	ID     int64
	Cursor string
}

// say posts a text to the channel.
func say(t *testing.T, s site, channel, text string) receipt {
	t.Helper()
	var r receipt
	s.Post(t, "/pub/"+channel, form("nick", "ann", "message", text)).Into(t, &r)
	require.Equal(t, "sent", r.Status)
	require.NotEmpty(t, r.Cursor)
	return r
}

// read asks the channel with the given query and checks what every batch must have.
func read(t *testing.T, s site, channel, query string) batch {
	t.Helper()
	return batchOf(t, s.Get(t, "/sub/"+channel+"?"+query))
}

func batchOf(t *testing.T, a answer) batch {
	t.Helper()
	var b batch
	a.Into(t, &b)
	require.NotNil(t, b.Messages, "messages is a list also when it is empty: %s", a.Body)
	require.NotEmpty(t, b.Cursor, a.Body)
	require.NotNil(t, b.More, a.Body)
	return b
}

func (b batch) texts() []any {
	texts := []any{}
	for _, m := range b.Messages {
		texts = append(texts, m.Message)
	}
	return texts
}

func TestReceipt(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	for id := int64(1); id <= 3; id++ {
		r := say(t, base, channel, "hi")
		assert.Equal(t, id, r.ID)
		assert.Regexp(t, `^.+-`+string('0'+rune(id))+`$`, r.Cursor)
	}
}

func TestSince(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	a, b, c := say(t, base, channel, "a"), say(t, base, channel, "b"), say(t, base, channel, "c")
	for since, want := range map[string][]any{
		"all":    {"a", "b", "c"},
		"-1":     {"c"},
		"-2":     {"b", "c"},
		"-1000":  {"a", "b", "c"},
		a.Cursor: {"b", "c"},
		b.Cursor: {"c"},
		c.Cursor: {},
		"now":    {},
	} {
		got := read(t, base, channel, "timeout=0&since="+since)
		assert.Equal(t, want, got.texts(), since)
		assert.Equal(t, c.Cursor, got.Cursor, since)
		assert.False(t, *got.More, since)
		assert.Nil(t, got.Gap, since)
	}
}

func TestMessagesAreWhole(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	var last http.Header
	for range 20 {
		last = base.Post(t, "/pub/"+channel, form("nick", "ann", "message", greeting)).Header
	}
	now, err := http.ParseTime(last.Get("Date"))
	require.NoError(t, err)

	before := 0.0
	for i, m := range read(t, base, channel, "since=all&timeout=0").Messages {
		assert.Equal(t, message{int64(i + 1), m.Timestamp, channel, "ann", greeting}, m)
		assert.Greater(t, m.Timestamp, before)
		assert.InDelta(t, now.Unix(), m.Timestamp, 60)
		before = m.Timestamp
	}
	assert.NotZero(t, before)
}

func TestEmptyChannelAnswersAtOnceWithTimeoutZero(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	for _, since := range []string{"now", "all", "-1"} {
		channel := fresh()
		empty := read(t, base, channel, "timeout=0&since="+since)
		assert.Empty(t, empty.Messages, since)
		assert.Nil(t, empty.Gap, since)

		say(t, base, channel, "first")
		next := read(t, base, channel, "since="+empty.Cursor)
		assert.Equal(t, []any{"first"}, next.texts(), "the cursor of nothing leads to the first message")
		assert.Nil(t, next.Gap, since)
	}
}

func TestTimeout(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	head := say(t, base, channel, "before")
	began := time.Now()
	b := read(t, base, channel, "timeout=1&since="+head.Cursor)
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
	assert.Empty(t, b.Messages)
	assert.Equal(t, head.Cursor, b.Cursor)
	assert.False(t, *b.More)
}

func TestMalformedQuestions(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	cursor := say(t, base, channel, "hi").Cursor
	for _, query := range []string{
		"since=x", "since=-", "since=-x", "since=--1", "since=-1.5", "since=1.5", "since=NOW", "since=%00",
		"since=" + cursor + "x", "since=" + cursor + ".5", "since=" + strings.TrimRight(cursor, "1"),
		"since=-99999999999999999999", "since=" + strings.Repeat("9", 10_000), "since=%zz",
		"since=now&timeout=x", "since=now&timeout=-1", "since=now&timeout=NaN",
		"since=now&timeout=1s", "since=now&timeout=0x1",
	} {
		t.Run(query[:min(len(query), 60)], func(t *testing.T) {
			base.Get(t, "/sub/"+channel+"?"+query).RequireRefused(t, 400)
			base.Get(t, "/sub?"+query).RequireRefused(t, 400)
		})
	}
}

func TestWaitingCursorPollIsServed(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	for _, target := range []string{"/sub?since=now", "/sub/chat?since=now", "/sub?since=cursor"} {
		head := read(t, base, "chat", "since=now&timeout=0").Cursor
		poll := base.Polls(t, 1, strings.Replace(target, "cursor", head, 1))[0]
		text := fresh()
		var r receipt
		base.Post(t, "/pub", form("message", text)).Into(t, &r)
		b := batchOf(t, poll.Receive(t, "GET"))
		assert.Equal(t, []any{text}, b.texts(), target)
		assert.Equal(t, r.Cursor, b.Cursor, target)
		assert.False(t, *b.More, target)
	}
}

func TestCursorsMissNothing(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	const total = 900
	channel := fresh()
	cursor := read(t, base, channel, "since=now&timeout=0").Cursor
	var posting sync.WaitGroup
	t.Cleanup(posting.Wait)
	posting.Go(func() {
		for range total {
			resp, err := http.Post(base.URL.JoinPath("pub", channel).String(), "application/json", strings.NewReader(`{"message": "hi"}`))
			if err != nil || resp.Body.Close() != nil {
				return // the reader then misses a message and says so
			}
		}
	})
	for next := int64(1); next <= total; {
		b := read(t, base, channel, "since="+cursor)
		require.Nil(t, b.Gap)
		require.NotEmpty(t, b.Messages)
		for _, m := range b.Messages {
			require.Equal(t, next, m.ID)
			next++
		}
		cursor = b.Cursor
	}
}

func TestLongAnswersComeInBatches(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	const total = 900
	channel := fresh()
	for range total {
		say(t, base, channel, "hi")
	}
	query, batches, ids := "since=all&timeout=0", 0, []int64{}
	for more := true; more; batches++ {
		b := read(t, base, channel, query)
		require.NotEmpty(t, b.Messages)
		for _, m := range b.Messages {
			ids = append(ids, m.ID)
		}
		more, query = *b.More, "timeout=0&since="+b.Cursor
	}
	assert.Greater(t, batches, 1)
	require.Len(t, ids, total)
	for i, id := range ids {
		require.Equal(t, int64(i+1), id)
	}
}

func TestBatchIsFlatJSON(t *testing.T) {
	if !ours(t, noCursors) {
		return
	}
	t.Parallel()
	channel := fresh()
	say(t, base, channel, "hi")
	var raw struct{ Messages []map[string]json.RawMessage }
	base.Get(t, "/sub/"+channel+"?since=all").Into(t, &raw)
	require.Len(t, raw.Messages, 1)
	assert.ElementsMatch(t, []string{"id", "timestamp", "channel", "nick", "message"}, keys(raw.Messages[0]))
}

func keys(m map[string]json.RawMessage) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	return names
}
