package conformance_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The API of the guide "Build Real-time with Python HTTP Long Polling": /publish, /subscribe, /channels.

const noFlask = "it has no /publish and /subscribe"

// publishFlask posts a text as the guide's clients do, and returns the event's id.
func publishFlask(t *testing.T, channel, text string) int64 {
	t.Helper()
	var said struct {
		Status  string
		EventID int64 `json:"event_id"`
	}
	base.Post(t, "/publish/"+channel, jsonText(fmt.Sprintf(`{"message": %q}`, text))).Into(t, &said)
	require.Equal(t, "published", said.Status)
	return said.EventID
}

func TestFlaskPublish(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	t.Parallel()
	channel := fresh()
	assert.Equal(t, int64(1), publishFlask(t, channel, "a"))
	assert.Equal(t, int64(2), publishFlask(t, channel, "b"))
	assert.Equal(t, []any{"a", "b"}, read(t, base, channel, "since=all").texts(), "one log for every API")
}

func TestFlaskPublishRefuses(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	t.Parallel()
	channel := fresh()
	for _, text := range []string{`{}`, `{"message": ""}`, `{"message": null}`, `[]`, `"hi"`, `{"message"`, ``} {
		base.Post(t, "/publish/"+channel, jsonText(text)).RequireRefused(t, 400)
	}
	base.Post(t, "/publish/"+channel, typed("text/plain", `{"message": "hi"}`)).RequireRefused(t, 415)
	base.Post(t, "/publish/"+channel, jsonText(`{"message": "`+mebibyte+`"}`)).RequireRefused(t, 413)
	assert.Equal(t, int64(1), publishFlask(t, channel, "the first"))
}

func TestFlaskSubscribeFromAnID(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	t.Parallel()
	channel := fresh()
	for _, text := range []string{"a", "b", "c"} {
		publishFlask(t, channel, text)
	}
	for last, want := range []string{"a", "b", "c"} {
		var m message
		base.Get(t, fmt.Sprintf("/subscribe/%s?last_event_id=%d", channel, last), "X-Client-ID: "+channel).Into(t, &m)
		assert.Equal(t, message{int64(last + 1), m.Timestamp, channel, nil, want}, m)
		assert.InDelta(t, time.Now().Unix(), m.Timestamp, 3600)
	}
}

func TestFlaskSubscribeTimesOut(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	t.Parallel()
	channel := fresh()
	publishFlask(t, channel, "a")
	began := time.Now()
	for _, query := range []string{"last_event_id=1&timeout=0", "timeout=0", "last_event_id=1&timeout=1"} {
		a := base.Get(t, "/subscribe/"+channel+"?"+query)
		require.Equal(t, 200, a.Status)
		assert.JSONEq(t, fmt.Sprintf(`{"status": "timeout", "channel": %q}`, channel), a.Body, query)
	}
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
}

func TestFlaskSubscribeWaits(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	channel := fresh()
	publishFlask(t, channel, "before")
	base.AwaitPolling(t, 0)
	waiting := []*conn{
		base.Poll(t, "/subscribe/"+channel, "X-Client-ID: one"),
		base.Poll(t, "/subscribe/"+channel, "X-Client-ID: two"),
		base.Poll(t, "/subscribe/"+channel+"?last_event_id=1&timeout=30"),
	}
	base.AwaitPolling(t, len(waiting))
	publishFlask(t, channel, "after")
	for _, c := range waiting {
		assert.Equal(t, "after", c.Receive(t, "GET").Object(t)["message"])
	}
}

func TestFlaskSubscribeAheadOfTheLog(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	channel := fresh()
	publishFlask(t, channel, "a")
	publishFlask(t, channel, "b")
	var m message
	base.Get(t, "/subscribe/"+channel+"?last_event_id=99").Into(t, &m)
	assert.Equal(t, int64(1), m.ID, "the server forgot; the log's beginning is what there is")

	empty := fresh()
	poll := base.Polls(t, 1, "/subscribe/"+empty+"?last_event_id=99")[0]
	publishFlask(t, empty, "first")
	assert.Equal(t, "first", poll.Receive(t, "GET").Object(t)["message"], "it must not wait for 100")
}

func TestFlaskSubscribeRefuses(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	t.Parallel()
	for _, query := range []string{"last_event_id=x", "last_event_id=-1", "last_event_id=1.5", "last_event_id=99999999999999999999",
		"timeout=x", "timeout=-1", "timeout=NaN", "last_event_id=%zz"} {
		base.Get(t, "/subscribe/"+fresh()+"?"+query).RequireRefused(t, 400)
	}
}

func TestFlaskChannels(t *testing.T) {
	if !ours(t, noFlask) {
		return
	}
	t.Parallel()
	used, unused := fresh(), fresh()
	publishFlask(t, used, "a")
	base.Get(t, "/subscribe/"+used+"?last_event_id=0")
	var list struct {
		Active []string `json:"active_channels"`
	}
	base.Get(t, "/channels").Into(t, &list)
	assert.Contains(t, list.Active, used)
	assert.NotContains(t, list.Active, unused)
}
