package conformance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const noChannels = "it has one channel"

func TestChannelsAreSeparate(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	a, b := fresh(), fresh()
	base.say(t, a, "a1")
	base.say(t, b, "b1")
	base.say(t, a, "a2")
	assert.Equal(t, []any{"a1", "a2"}, base.read(t, a, "since=all").texts())
	assert.Equal(t, []any{"b1"}, base.read(t, b, "since=all").texts())
	assert.Equal(t, int64(2), base.say(t, b, "b2").ID, "each counts for itself")
}

func TestChannelsAreWokenSeparately(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	a, b := fresh(), fresh()
	base.awaitPolling(t, 0)
	onA, onB := base.poll(t, "/sub/"+a), base.poll(t, "/sub/"+b+"?since=now")
	base.awaitPolling(t, 2)
	base.say(t, b, "for b")
	assert.Equal(t, []any{"for b"}, onB.receive(t, "GET").batch(t).texts())
	assert.Equal(t, 1, base.polling(t), "the poll on the other channel waits on")
	base.say(t, a, "for a")
	got := onA.receive(t, "GET").object(t)
	assert.Equal(t, "for a", got["message"])
	assert.Equal(t, a, got["channel"])
}

func TestTheOriginalsEndpointsAreTheChannelChat(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	head := base.read(t, "chat", "since=now&timeout=0").Cursor
	first, second := fresh(), fresh()
	base.post(t, "/pub", form("message", first))
	base.say(t, "chat", second)
	assert.Equal(t, []any{first, second}, base.read(t, "chat", "since="+head).texts())
	assert.Equal(t, []any{first, second}, base.get(t, "/sub?since="+head).batch(t).texts())
}

func TestChannelNames(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	for _, name := range []string{"Az09._~-", strings.Repeat("x", 128-len(fresh())), "..."} {
		name += fresh()
		if len(name) > 128 {
			name = name[len(name)-128:]
		}
		base.say(t, name, "hi")
		assert.Equal(t, []any{"hi"}, base.read(t, name, "since=all").texts(), name)
	}
	for _, name := range []string{
		"a%20b", "%C3%A9", "%FF", "a:b", "a*", "a,b", "a+b", "%00", "a%0A", "a%25", "a;b", "a@b", "(a)", "%22", strings.Repeat("x", 129),
	} {
		for _, path := range []string{"/sub/", "/subscribe/", "/api/poll/", "/chat?chat_id="} {
			if path == "/chat?chat_id=" && strings.ContainsAny(name, "+;") {
				continue // they mean something else in a query
			}
			assert.Equal(t, 400, base.get(t, path+name).status, path+name)
		}
		for _, path := range []string{"/pub/", "/publish/", "/api/publish/"} {
			base.post(t, path+name, jsonText(`{"message": "hi"}`)).requireRefused(t, 400)
		}
	}
	assert.Contains(t, []int{400, 404}, base.get(t, "/sub/a%2Fb").status)
}
