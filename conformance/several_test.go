package conformance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One request may ask for several channels, with a place in each.
func TestSeveralChannels(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	a, b := fresh(), fresh()
	both := a + "," + b
	say(t, base, a, "a1")
	say(t, base, b, "b1")
	say(t, base, a, "a2")
	all := read(t, base, both, "since=all")
	assert.Equal(t, []any{"a1", "a2", "b1"}, all.texts())

	cursors := strings.Split(all.Cursor, ",")
	require.Len(t, cursors, 2)
	assert.Empty(t, read(t, base, a, "since="+cursors[0]+"&timeout=0").texts(), "a part is the cursor of its channel")
	assert.Equal(t, []any{"a1", "a2"}, read(t, base, both, "since=all,"+cursors[1]).texts())
	assert.Equal(t, []any{"a2", "b1"}, read(t, base, both, "since=-1").texts())
	assert.Equal(t, []any{"b1"}, read(t, base, both, "since=now,-1").texts())
	assert.Equal(t, []any{"b1", "a1", "a2"}, read(t, base, b+","+a, "since=all").texts(), "in the order of the request")

	say(t, base, b, "b2")
	assert.Equal(t, []any{"b2"}, read(t, base, both, "since="+all.Cursor).texts())
}

// A message of any of the channels ends the wait.
func TestWaitOnSeveralChannels(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	a, b := fresh(), fresh()
	cursor := read(t, base, a+","+b, "since=now&timeout=0").Cursor
	waiting := base.Poll(t, "/sub/"+a+","+b+"?since="+cursor)
	say(t, base, b, "hi")
	assert.Contains(t, string(waiting.Receive(t, "GET").Body), `"message":"hi"`)
}

func TestWrongRequestsForSeveralChannels(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	one := read(t, base, fresh(), "since=now&timeout=0").Cursor
	for _, path := range []string{
		"/sub/a,b?since=" + one, "/sub/a,b?since=now,now,now", "/sub/a,b?since=now,", "/sub/a?since=now,now",
		"/sub/" + strings.Repeat("a,", 64) + "b?since=now", "/sub/a,b,?since=now",
		"/subscribe/a,b", "/api/poll/a,b", "/history/a,b", "/sub/,?since=now",
	} {
		base.Get(t, path).RequireRefused(t, 400)
	}
}
