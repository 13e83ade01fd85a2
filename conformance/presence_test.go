package conformance_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who asks to be present is listed, and told on the companion of the channel.
func TestPresence(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	room := fresh()
	cursor := read(t, base, room+":presence", "since=now&timeout=0").Cursor
	begin(t, "/sub/"+room+"?presence=ann", wantsEvents).lines(2)
	begin(t, "/sub/"+room+":presence,"+room+"?presence="+url.QueryEscape("bob & eve"), wantsLines).lines(1)
	read(t, base, room, "since=now&timeout=0&presence=ann")
	read(t, base, room, "since=now&timeout=0")
	assert.JSONEq(t, `{"channel":"`+room+`","count":2,"names":["ann","bob & eve"]}`, base.Get(t, "/presence/"+room).Body)

	base.Post(t, "/presence/"+room, form("typing", "true", "name", "ann"))
	base.Post(t, "/presence/"+room, jsonText(`{"typing":true,"name":"ann"}`))
	var told []map[string]any
	for len(told) < 3 {
		answer := base.Get(t, "/sub/"+room+":presence?since="+cursor)
		var page struct {
			Messages []map[string]any
			Cursor   string
		}
		require.NoError(t, json.Unmarshal([]byte(answer.Body), &page))
		told, cursor = append(told, page.Messages...), page.Cursor
	}
	for i, want := range []map[string]any{
		{"presence": "join", "name": "ann", "count": 1.0},
		{"presence": "join", "name": "bob & eve", "count": 2.0},
		{"presence": "typing", "name": "ann"},
	} {
		want["id"], want["channel"], want["timestamp"] = float64(i+1), room+":presence", told[i]["timestamp"]
		assert.Equal(t, want, told[i])
	}
}

func TestWrongRequestsForPresence(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	room := fresh()
	for _, path := range []string{
		"/presence/" + room + ":presence", "/presence/a,b", "/sub/" + room + "?since=now&presence", "/sub/" + room + "?since=now&presence=%00",
	} {
		base.Get(t, path).RequireRefused(t, 400)
	}
	for _, path := range []string{"/pub/" + room + ":presence?message=hi", "/presence/" + room, "/presence/" + room + "?typing=true"} {
		base.Post(t, path, nothing).RequireRefused(t, 400)
	}
	base.Get(t, "/presence/").RequireRefused(t, 404)
	base.Do(t, "PUT", "/presence/"+room, nothing).RequireRefused(t, 405)
}
