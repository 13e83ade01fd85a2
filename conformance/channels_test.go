package conformance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const noChannels = "it has one channel"

func TestChannelsAreSeparate(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	a, b := fresh(), fresh()
	say(t, base, a, "a1")
	say(t, base, b, "b1")
	say(t, base, a, "a2")
	assert.Equal(t, []any{"a1", "a2"}, read(t, base, a, "since=all").texts())
	assert.Equal(t, []any{"b1"}, read(t, base, b, "since=all").texts())
	assert.Equal(t, int64(2), say(t, base, b, "b2").ID, "each counts for itself")
}

func TestChannelsAreWokenSeparately(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	a, b := fresh(), fresh()
	base.AwaitPolling(t, 0)
	onA, onB := base.Poll(t, "/sub/"+a), base.Poll(t, "/sub/"+b+"?since=now")
	base.AwaitPolling(t, 2)
	say(t, base, b, "for b")
	assert.Equal(t, []any{"for b"}, batchOf(t, onB.Receive(t, "GET")).texts())
	assert.Equal(t, 1, base.Polling(t), "the poll on the other channel waits on")
	say(t, base, a, "for a")
	got := onA.Receive(t, "GET").Object(t)
	assert.Equal(t, "for a", got["message"])
	assert.Equal(t, a, got["channel"])
}

func TestTheOriginalsEndpointsAreTheChannelChat(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	head := read(t, base, "chat", "since=now&timeout=0").Cursor
	first, second := fresh(), fresh()
	base.Post(t, "/pub", form("message", first))
	say(t, base, "chat", second)
	assert.Equal(t, []any{first, second}, read(t, base, "chat", "since="+head).texts())
	assert.Equal(t, []any{first, second}, batchOf(t, base.Get(t, "/sub?since="+head)).texts())
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
		say(t, base, name, "hi")
		assert.Equal(t, []any{"hi"}, read(t, base, name, "since=all").texts(), name)
	}
	for _, name := range []string{
		"a%20b", "%C3%A9", "%FF", "a:b", "a*", "a,,b", "a,a", "a+b", "%00", "a%0A", "a%25", "a;b", "a@b", "(a)", "%22", strings.Repeat("x", 129),
	} {
		for _, path := range []string{"/sub/", "/subscribe/", "/api/poll/", "/chat?chat_id="} {
			if path == "/chat?chat_id=" && strings.ContainsAny(name, "+;") {
				continue // they mean something else in a query
			}
			assert.Equal(t, 400, base.Get(t, path+name).Status, path+name)
		}
		for _, path := range []string{"/pub/", "/publish/", "/api/publish/"} {
			base.Post(t, path+name, jsonText(`{"message": "hi"}`)).RequireRefused(t, 400)
		}
	}
	assert.Contains(t, []int{400, 404}, base.Get(t, "/sub/a%2Fb").Status)
}

// Browsers and proxies take these out of a path.
func TestDotsAreNoChannel(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	for _, name := range []string{".", "..", "%2e", "%2E%2e", ".%2e"} {
		for _, path := range []string{"/sub/", "/subscribe/", "/api/poll/", "/chat?chat_id=", "/?channel="} {
			base.Dial(t).Do(t, "GET", path+name).RequireRefused(t, 400)
		}
		for _, path := range []string{"/pub/", "/publish/", "/api/publish/"} {
			base.Post(t, path+name, jsonText(`{"message": "hi"}`)).RequireRefused(t, 400)
		}
	}
}

type channelList struct {
	Active []string `json:"active_channels"`
	More   *bool
}

func TestChannelsAreListedInParts(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	names := make([]string, 7) // of this test: others list theirs, too
	for i := range names {
		names[i] = fresh() + "~part"
		say(t, base, names[i], "hi")
	}
	slices.Sort(names)
	for _, limit := range []int{1, 3, 1000} {
		var got []string
		for after, more := "", true; more; {
			var list channelList
			base.Get(t, fmt.Sprintf("/channels?limit=%d&after=%s", limit, after)).Into(t, &list)
			require.NotNil(t, list.More)
			require.LessOrEqual(t, len(list.Active), limit)
			got = append(got, list.Active...)
			if more = *list.More; more {
				require.Len(t, list.Active, limit)
				after = list.Active[limit-1]
			}
		}
		assert.True(t, slices.IsSorted(got))
		assert.Equal(t, slices.Compact(slices.Clone(got)), got, "none twice")
		assert.Subset(t, got, names)
	}
	var all channelList
	base.Get(t, "/channels").Into(t, &all)
	assert.Subset(t, all.Active, names)
	assert.Nil(t, all.More)
	for _, query := range []string{"limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=%zz"} {
		base.Get(t, "/channels?"+query).RequireRefused(t, 400)
	}
}

func TestAFreshServerHasNoChannels(t *testing.T) {
	if !ours(t, noChannels) || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t)
	for _, path := range []string{"/sub/a?since=all&timeout=0", "/api/poll/b?timeout=0", "/subscribe/c?timeout=0", "/chat?chat_id=d&cur_len=0&timeout=0"} {
		s.Get(t, path)
	}
	assert.Equal(t, `{"active_channels":[]}`, strings.TrimSpace(s.Get(t, "/channels").Body))
}
