package conformance_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The API of the guide "Long Polling": /api/publish and /api/poll, plain and reliable.

const noAPI = "it has no /api"

// publishAPI posts any JSON object and returns the message's id.
func publishAPI(t *testing.T, channel, object string) int64 {
	t.Helper()
	var said struct {
		Status    string
		MessageID int64 `json:"message_id"`
	}
	base.Post(t, "/api/publish/"+channel, jsonText(object)).Into(t, &said)
	require.Equal(t, "published", said.Status)
	return said.MessageID
}

// polled is an answer of the plain poll.
type polled struct {
	Status    string
	Data      map[string]any
	Timestamp float64
}

func pollAPI(t *testing.T, channel, query string) (p polled) {
	t.Helper()
	base.Get(t, "/api/poll/"+channel+"?"+query).Into(t, &p)
	return p
}

// number writes a timestamp as JavaScript does: the shortest digits that read back the same.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func TestAPIPublishTakesAnyObject(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	channel := fresh()
	objects := []string{`{"message": "hi"}`, `{"kind": "price", "value": 1.5, "tags": ["a", null], "more": {"deep": true}}`, `{}`}
	for i, object := range objects {
		assert.Equal(t, int64(i+1), publishAPI(t, channel, object))
	}
	var got struct{ Messages []map[string]any }
	base.Get(t, "/api/poll/"+channel+"?last_message_id=0").Into(t, &got)
	require.Len(t, got.Messages, 3)
	assert.Equal(t, "price", got.Messages[1]["kind"])
	assert.Equal(t, 1.5, got.Messages[1]["value"])
	assert.Equal(t, []any{"a", nil}, got.Messages[1]["tags"])
	assert.Equal(t, map[string]any{"deep": true}, got.Messages[1]["more"])
}

func TestAPIPublishSetsItsOwnFields(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	channel := fresh()
	publishAPI(t, channel, `{"id": "mine", "timestamp": 1, "channel": "chat", "Id": 999, "TIMESTAMP": 1, "note": "kept"}`)
	var got struct{ Messages []map[string]any }
	base.Get(t, "/api/poll/"+channel+"?last_message_id=0").Into(t, &got)
	require.Len(t, got.Messages, 1)
	assert.Equal(t, 1.0, got.Messages[0]["id"])
	assert.Equal(t, channel, got.Messages[0]["channel"])
	assert.InDelta(t, time.Now().Unix(), got.Messages[0]["timestamp"], 3600)
	assert.Equal(t, "kept", got.Messages[0]["note"])
	assert.NotContains(t, got.Messages[0], "Id", "readers that do not tell upper from lower case")
	assert.NotContains(t, got.Messages[0], "TIMESTAMP")
}

func TestAPIPublishRefuses(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	channel := fresh()
	for _, text := range []string{`[]`, `"hi"`, `1`, `null`, `{"message"`, `{} {}`, ``} {
		base.Post(t, "/api/publish/"+channel, jsonText(text)).RequireRefused(t, 400)
	}
	base.Post(t, "/api/publish/"+channel, typed("text/plain", `{}`)).RequireRefused(t, 415)
	base.Post(t, "/api/publish/"+channel, jsonText(`{"message": "`+mebibyte+`"}`)).RequireRefused(t, 413)
	assert.Equal(t, int64(1), publishAPI(t, channel, `{}`))
}

func TestAPIPollGoesOnFromATimestamp(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	const total = 20
	channel := fresh()
	poll := base.Polls(t, 1, "/api/poll/"+channel+"?since=0")[0]
	for n := range total {
		publishAPI(t, channel, fmt.Sprintf(`{"n": %d}`, n))
	}
	var p polled
	poll.Receive(t, "GET").Into(t, &p)
	for n := range total {
		require.Equal(t, "message", p.Status)
		require.Equal(t, float64(n), p.Data["n"], "each once, in order")
		require.Equal(t, p.Data["timestamp"], p.Timestamp)
		p = pollAPI(t, channel, "timeout=0&since="+number(p.Timestamp))
	}
	assert.Equal(t, "timeout", p.Status)
}

func TestAPIPollWaitsForTheNextMessage(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	channel := fresh()
	publishAPI(t, channel, `{"message": "before"}`)
	base.AwaitPolling(t, 0)
	waiting := []*conn{
		base.Poll(t, "/api/poll/"+channel),
		base.Poll(t, "/api/poll/"+channel+"?since=0&timeout=30"),
		base.Poll(t, "/api/poll/"+channel+"?since=0.0"),
	}
	base.AwaitPolling(t, len(waiting))
	publishAPI(t, channel, `{"message": "after"}`)
	for _, c := range waiting {
		var p polled
		c.Receive(t, "GET").Into(t, &p)
		assert.Equal(t, "message", p.Status)
		assert.Equal(t, "after", p.Data["message"])
		assert.Equal(t, 2.0, p.Data["id"])
	}
}

func TestAPIPollTimesOut(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	channel := fresh()
	publishAPI(t, channel, `{"message": "before"}`)
	for query, least := range map[string]time.Duration{
		"since=0&timeout=0":   0,
		"timeout=0.5":         500 * time.Millisecond,
		"since=0&timeout=1":   time.Second,
		"since=0&timeout=0.0": 0,
	} {
		began := time.Now()
		p := pollAPI(t, channel, query)
		assert.Equal(t, "timeout", p.Status, query)
		assert.Nil(t, p.Data, query)
		assert.InDelta(t, time.Now().Unix(), p.Timestamp, 3600, query)
		assert.GreaterOrEqual(t, time.Since(began), least, query)
	}
}

type reliable struct {
	Status   string
	Messages []message
	Count    *int
}

func reliableOf(t *testing.T, a answer) (r reliable) {
	t.Helper()
	a.Into(t, &r)
	require.NotNil(t, r.Messages, a.Body)
	require.NotNil(t, r.Count, a.Body)
	require.Len(t, r.Messages, *r.Count)
	return r
}

func (r reliable) ids() []int64 {
	ids := []int64{}
	for _, m := range r.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestAPIReliablePoll(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	channel := fresh()
	for range 3 {
		publishAPI(t, channel, `{"message": "hi"}`)
	}
	for query, want := range map[string][]int64{
		"last_message_id=0":            {1, 2, 3},
		"last_message_id=2":            {3},
		"last_message_id=0&since=0":    {1, 2, 3},
		"last_message_id=99":           {1, 2, 3}, // ahead of the log: the server forgot
		"last_message_id=99&timeout=0": {1, 2, 3},
	} {
		r := reliableOf(t, base.Get(t, "/api/poll/"+channel+"?"+query))
		assert.Equal(t, "messages", r.Status, query)
		assert.Equal(t, want, r.ids(), query)
	}
	a := base.Get(t, "/api/poll/"+channel+"?last_message_id=3&timeout=0")
	require.Equal(t, 200, a.Status)
	assert.JSONEq(t, `{"status": "timeout", "messages": [], "count": 0}`, a.Body)
}

func TestAPIReliablePollWaits(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	channel := fresh()
	publishAPI(t, channel, `{"message": "before"}`)
	poll := base.Polls(t, 1, "/api/poll/"+channel+"?last_message_id=1")[0]
	publishAPI(t, channel, `{"message": "after"}`)
	r := reliableOf(t, poll.Receive(t, "GET"))
	assert.Equal(t, "messages", r.Status)
	assert.Equal(t, []int64{2}, r.ids())

	empty := fresh()
	poll = base.Polls(t, 1, "/api/poll/"+empty+"?last_message_id=99")[0]
	publishAPI(t, empty, `{"message": "first"}`)
	assert.Equal(t, []int64{1}, reliableOf(t, poll.Receive(t, "GET")).ids(), "it must not wait for 100")
}

func TestAPIPollRefuses(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	for _, query := range []string{
		"since=x", "since=NaN", "since=Inf", "since=%zz", "timeout=x", "timeout=-1", "timeout=NaN",
		"last_message_id=x", "last_message_id=-1", "last_message_id=1.5", "last_message_id=99999999999999999999",
	} {
		base.Get(t, "/api/poll/"+fresh()+"?"+query).RequireRefused(t, 400)
	}
}

// The guide's client asks since=0 until it has had a message.
func TestAPIPollFromZeroGoesOnOnItsConnection(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	for name, said := range map[string]int{"a new channel": 0, "a used channel": 2} {
		channel := fresh()
		for range said {
			publishAPI(t, channel, `{"message": "before"}`)
		}
		c := base.Dial(t)
		poll := func(query string) (p polled) {
			c.Do(t, "GET", "/api/poll/"+channel+"?"+query).Into(t, &p)
			return p
		}
		for _, query := range []string{"since=0&timeout=0", "since=0&timeout=0.01", "since=0.0&timeout=0"} {
			assert.Equal(t, "timeout", poll(query).Status, name)
		}
		for n := range 3 {
			publishAPI(t, channel, fmt.Sprintf(`{"n": %d}`, n))
		}
		p := poll("since=0&timeout=9")
		for n := range 3 {
			require.Equal(t, "message", p.Status, name)
			assert.Equal(t, float64(n), p.Data["n"], name)
			p = poll("timeout=0&since=" + number(p.Timestamp))
		}
		assert.Equal(t, "timeout", p.Status, name)
	}
}

// A timestamp of an answer without a message is one to go on from, too.
func TestAPIPollGoesOnFromATimeout(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	for name, said := range map[string]int{"a new channel": 0, "a used channel": 2} {
		channel := fresh()
		for range said {
			publishAPI(t, channel, `{"message": "before"}`)
		}
		p := pollAPI(t, channel, "timeout=0")
		for n := range 20 {
			last := p.Timestamp
			for _, timeout := range []string{"0", "0.01"} {
				p = pollAPI(t, channel, "timeout="+timeout+"&since="+number(p.Timestamp))
				require.Equal(t, "timeout", p.Status, name)
			}
			if n > 0 {
				require.Equal(t, last, p.Timestamp, "a later one could pass over what comes meanwhile")
			}
			publishAPI(t, channel, fmt.Sprintf(`{"n": %d}`, n))
			p = pollAPI(t, channel, "timeout=0&since="+number(p.Timestamp))
			require.Equal(t, "message", p.Status, name)
			require.Equal(t, float64(n), p.Data["n"], name)
		}
	}
}

// A reader that does not tell upper from lower case must not take a field for one that the server sets,
// or for the nick or the message that stands beside it.
func TestNoFieldPassesForAnother(t *testing.T) {
	if !ours(t, "it does not read JSON") {
		return
	}
	t.Parallel()
	const posted = `{"ID": 99, "iD": 99, "Timestamp": 99, "timeſtamp": 99, "CHANNEL": "x",
		"nick": "ann", "NICK": "eve", "nicK": "eve",
		"message": "hi", "MESSAGE": "bye", "meſſage": "bye", "note": "kept"}`
	for _, path := range []string{"/pub/", "/publish/", "/api/publish/"} {
		channel := fresh()
		require.Equal(t, 200, base.Post(t, path+channel, jsonText(posted)).Status, path)
		a := base.Get(t, "/subscribe/"+channel+"?last_event_id=0")
		got := a.Object(t)
		assert.InDelta(t, time.Now().Unix(), got["timestamp"], 3600)
		delete(got, "timestamp")
		assert.Equal(t, map[string]any{"id": 1.0, "channel": channel, "nick": "ann", "message": "hi", "note": "kept"}, got, path)
		var m message // reads as such a reader does
		a.Into(t, &m)
		assert.Equal(t, message{1, m.Timestamp, channel, "ann", "hi"}, m, path)
	}
	channel := fresh()
	base.Post(t, "/pub/"+channel, jsonText(`{"message": "hi", "NICK": "eve", "nicK": "eve"}`))
	got := base.Get(t, "/subscribe/"+channel+"?last_event_id=0").Object(t)
	assert.Nil(t, got["nick"])
	assert.Len(t, got, 5, "id, timestamp, channel, nick, message: %v", got)
}

func TestManyEscapesAreNoLongMessage(t *testing.T) {
	if !ours(t, noAPI) {
		return
	}
	t.Parallel()
	for escaped, text := range map[string]string{`\u0041`: "A", `\/`: "/", `\ud83d\ude00`: "😀"} {
		n := 12_000 / len(text) // 12,000 bytes, of which the body has up to six times as many
		channel := fresh()
		publishAPI(t, channel, `{"message": "`+strings.Repeat(escaped, n)+`"}`)
		assert.Equal(t, []any{strings.Repeat(text, n)}, read(t, base, channel, "since=all").texts())
	}
	blank := strings.Repeat(" \n", 20_000)
	publishAPI(t, fresh(), blank+`{`+blank+`"message": "hi"}`)
	base.Post(t, "/api/publish/"+fresh(), jsonText(`{"a": [`+strings.Repeat("[],", 33_000)+`[]]}`)).RequireRefused(t, 413)
}
