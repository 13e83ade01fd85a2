package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The API of the article "The Long Poll: AJAX Push(like) Chat with Comet": /chat, asked with the length
// of what the page already shows.

const noChat = "it has no /chat"

// length is what JavaScript's .length is: UTF-16 units.
func length(text string) int { return len(utf16.Encode([]rune(text))) }

func chatPath(channel string, units int) string {
	return fmt.Sprintf("/chat?format=xhr&chat_id=%s&cur_len=%d", channel, units)
}

func TestChatIsTheWholeConversation(t *testing.T) {
	if !ours(t, noChat) {
		return
	}
	t.Parallel()
	channel := fresh()
	base.Post(t, "/pub/"+channel, form("nick", "ann", "message", "hi"))
	base.Post(t, "/pub/"+channel, form("nick", "bob", "message", greeting))
	for _, target := range []string{chatPath(channel, 0), "/chat?chat_id=" + channel, chatPath(channel, 7), chatPath(channel, 9999)} {
		a := base.Get(t, target)
		require.Equal(t, 200, a.Status, target)
		assert.Equal(t, "text/plain", a.MediaType())
		lines := strings.Split(strings.TrimSuffix(a.Body, "\n"), "\n")
		assert.Equal(t, []string{"ann: hi", "bob: " + greeting}, lines, target)
	}
}

func TestChatWaitsWhileItsLengthIsTheSame(t *testing.T) {
	if !ours(t, noChat) {
		return
	}
	channel, shown := fresh(), ""
	for _, text := range []string{"hi", greeting, "bye"} {
		poll := base.Polls(t, 1, chatPath(channel, length(shown)))[0]
		say(t, base, channel, text)
		a := poll.Receive(t, "GET")
		require.Equal(t, 200, a.Status)
		assert.True(t, strings.HasPrefix(a.Body, shown), a.Body)
		assert.Contains(t, a.Body[len(shown):], "ann: "+text)
		shown = a.Body
	}
}

func TestChatNotModified(t *testing.T) {
	if !ours(t, noChat) {
		return
	}
	t.Parallel()
	channel := fresh()
	say(t, base, channel, greeting)
	shown := base.Get(t, chatPath(channel, 0)).Body
	began := time.Now()
	a := base.Get(t, chatPath(channel, length(shown))+"&timeout=1")
	assert.Equal(t, 304, a.Status)
	assert.Empty(t, a.Body)
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
	assert.Equal(t, 304, base.Get(t, chatPath(channel, length(shown))+"&timeout=0").Status, "at once")
}

func TestChatRefuses(t *testing.T) {
	if !ours(t, noChat) {
		return
	}
	t.Parallel()
	for _, query := range []string{"cur_len=x", "cur_len=1.5", "cur_len=%zz"} {
		base.Get(t, "/chat?chat_id="+fresh()+"&"+query).RequireRefused(t, 400)
	}
}

func TestChatShowsOnlyTheNickAsTheNick(t *testing.T) {
	if !ours(t, noChat) {
		return
	}
	t.Parallel()
	channel := fresh()
	for _, path := range []string{"/pub/", "/publish/", "/api/publish/"} {
		base.Post(t, path+channel, jsonText(`{"message": "hi", "NICK": "eve", "Nick": "eve", "nic\u212a": "eve"}`))
		base.Post(t, path+channel, jsonText(`{"message": "hi", "nick": "ann", "NICK": "eve", "nic\u212a": "eve"}`))
	}
	assert.Equal(t, strings.Repeat("unknown: hi\nann: hi\n", 3), base.Get(t, chatPath(channel, 0)).Body)
}

// Once lines have left, newlines at the end make the length tell the last id; before, there is nothing but lines.
func TestChatOfAFullLog(t *testing.T) {
	if !ours(t, noChat) || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HISTORY_MESSAGES=3")
	shown := ""
	for id := 1; id <= 80; id++ {
		say(t, s, "c", greeting)
		a := s.Get(t, chatPath("c", length(shown))+"&timeout=0")
		require.Equal(t, 200, a.Status, "%d is new", id)
		shown = a.Body
		lines := strings.Repeat("ann: "+greeting+"\n", min(id, 3))
		if id <= 3 {
			require.Equal(t, lines, shown)
			continue
		}
		require.Equal(t, lines, strings.TrimRight(shown, "\n")+"\n")
		require.Equal(t, id%64, length(shown)%64)
	}
	assert.Equal(t, 304, s.Get(t, chatPath("c", length(shown))+"&timeout=0").Status)
}
