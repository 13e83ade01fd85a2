package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
	"pubsub/server/tokens"

	"github.com/stretchr/testify/require"
)

// here asks who is in the room, by whatever asks a server.
func here(t require.TestingT, get func(path string) string) (who struct {
	Channel string
	Count   int
	Names   []string
}) {
	require.NoError(t, json.Unmarshal([]byte(get("/presence/room")), &who))
	require.Equal(t, "room", who.Channel)
	return who
}

// is asks who is in the room of a server on a socket.
func (r *running) here(t require.TestingT) []string {
	return here(t, func(path string) string { return r.get(t, path) }).Names
}

// told returns what the companion of the room has told so far.
func (r *running) told(t require.TestingT) []string { return toldOf(t, r.get(t, companionSoFar)) }

// toldInTime waits for the first n things that are told of a room.
func (r *running) toldInTime(t require.TestingT, room string, n int, headers ...string) []string {
	c := r.stream(t, ways[0], "/sub/"+room+":presence?since=all", headers...)
	defer c.Close()
	return c.texts(t, n)
}

const companionSoFar = "/sub/room:presence?since=all&timeout=0"

func toldOf(t require.TestingT, page string) (texts []string) {
	var said spoken
	require.NoError(t, json.Unmarshal([]byte(page), &said), page)
	for _, m := range said.Messages {
		texts = append(texts, m.text())
	}
	return texts
}

// get asks over a pipe, and returns the body.
func (p *pipes) get(t *testing.T, path string) string {
	c := p.dial()
	defer c.Close()
	go io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	head, body, _ := strings.Cut(string(all), "\r\n\r\n")
	require.Contains(t, head, "200 OK", "%s", all)
	return body
}

// open asks over a pipe for what stays, and reads whatever comes.
func (p *pipes) open(path, accept string) net.Conn {
	c := p.dial()
	go func() {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: chat\r\nAccept: %s\r\n\r\n", path, accept)
		_, _ = io.Copy(io.Discard, c)
	}()
	return c
}

const sse = "text/event-stream"

// Whoever has a poll or a stream that asks for it is here, and for 15 s beyond it.
func TestWhoIsHere(t *testing.T) {
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		who := func() []string {
			synctest.Wait()
			return here(t, func(path string) string { return p.get(t, path) }).Names
		}
		require.Equal(t, []string{}, who())
		tab, second := p.open("/sub/room?presence=ann", sse), p.open("/sub/room?presence=ann", sse)
		poll := p.open("/sub/room,other?since=now&timeout=60&presence=bob", "*/*")
		nobody := p.open("/sub/room", sse)
		plain := p.open("/sub/room?presence=original", "*/*")
		require.Equal(t, []string{"ann", "bob"}, who())
		tab.Close()
		poll.Close()
		time.Sleep(14 * time.Second)
		require.Equal(t, []string{"ann", "bob"}, who(), "bob may come back")
		poll = p.open("/sub/room?since=now&timeout=60&presence=bob", "*/*")
		synctest.Wait()
		second.Close()
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{"ann", "bob"}, who())
		time.Sleep(7 * time.Second)
		require.Equal(t, []string{"bob"}, who())
		_ = p.get(t, "/sub/room?since=now&timeout=0&presence=eve")
		require.Equal(t, []string{"bob", "eve"}, who(), "a poll that does not wait")
		time.Sleep(17 * time.Second)
		told := toldOf(t, p.get(t, companionSoFar))
		require.ElementsMatch(t, []string{"join ann 1", "join bob 2"}, relabel(told[:2]))
		require.Equal(t, []string{"leave ann 1", "join eve 2", "leave eve 1"}, told[2:])
		require.Equal(t, []string{"join bob 1", "leave bob 0"}, toldOf(t, p.get(t, "/sub/other:presence?since=all&timeout=0")))
		require.Contains(t, p.get(t, "/sub/room:presence?since=-1&timeout=0"), `"channel":"room:presence","presence":"leave","name":"eve","count":1}`)
		for _, c := range []net.Conn{poll, nobody, plain} {
			c.Close()
		}
	})
}

// relabel takes it that ann came before bob, as they came at the same time.
func relabel(told []string) []string {
	if strings.HasPrefix(told[0], "join bob") {
		return []string{"join ann 1", "join bob 2"}
	}
	return told
}

// A companion can be listened to in every way, also beside other channels, and has ids and
// a cursor of its own. Nobody can post there, and it is in no list.
func TestCompanions(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	for i, way := range append(ways, ways...) {
		s := start(t, map[bool]settings.Settings{true: open(), false: set}[i < len(ways)])
		if i >= len(ways) {
			s = s.overTLS(t, false, certificate)
		}
		c := s.stream(t, way, "/sub/room:presence,room")
		defer c.Close()
		ann := s.stream(t, ways[0], "/sub/room?presence=ann")
		defer ann.Close()
		require.Equal(t, []string{"join ann 1"}, c.texts(t, 1))
		require.Equal(t, http.StatusOK, s.say(t, "hi"))
		require.Equal(t, []string{"hi"}, c.texts(t, 1))
		require.Equal(t, uint64(1), firstID(t, s.get(t, "/sub/room?since=all&timeout=0")), "the companion takes no ids")
		require.NotContains(t, s.get(t, "/channels"), "presence")
		require.Contains(t, s.get(t, "/debug"), "channels = 1\n")
		require.Equal(t, []string{"ann"}, s.here(t))
	}
	s := start(t, open())
	for _, path := range []string{"/pub/room:presence?message=hi", "/publish/room:presence", "/api/publish/room:presence", "/presence/room:presence?typing=true&name=a"} {
		resp, text := s.do(t, "POST", path, `{"message":"hi"}`, "Content-Type: application/json")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, path)
		require.Contains(t, text, "server tells", path)
	}
	for _, channel := range []string{"room:presence", ""} {
		c := s.stream(t, ways[2], "/sub/room:presence")
		c.say(t, fmt.Sprintf(`{"publish":{"message":"hi"},"channel":%q}`, channel))
		require.Contains(t, c.heard(t), `"status":400`)
		c.Close()
	}
	for _, path := range []string{"/presence/room:presence", "/history/room:presence", "/presence/a%20b", "/sub/room:other?since=all"} {
		resp, _ := s.do(t, "GET", path, "")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, path)
	}
	require.Empty(t, s.told(t))
}

func firstID(t *testing.T, page string) uint64 {
	var b batch
	require.NoError(t, json.Unmarshal([]byte(page), &b))
	return uint64(b.Messages[0].ID)
}

// What cannot be a name is refused, in polls, streams, and by who types.
func TestNamesOfThePresent(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	for _, name := range []string{"", " ", "\u00a0", "\u200b", "a\nb", "a\x00b", "a\x7fb", "a\u0085b", "a\u2028b", "a\u202eb", "\xff", strings.Repeat("x", 65)} {
		query := "presence=" + url.QueryEscape(name)
		for _, headers := range [][]string{{"X-Nothing: 1"}, {ways[1].header}, strings.Split(ways[2].header, "\r\n")} {
			resp, text := s.do(t, "GET", "/sub/room?since=now&timeout=0&"+query, "", headers...)
			require.Equal(t, http.StatusBadRequest, resp.StatusCode, "%q", name)
			require.Contains(t, text, "characters")
			require.Contains(t, text, `"field":"presence"`)
		}
		resp, _ := s.do(t, "POST", "/presence/room?typing=true&name="+url.QueryEscape(name), "")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, "%q", name)
	}
	good := []string{`"]}<script>`, "a b", "Zoë", "x y 'z' \\", strings.Repeat("ö", 64), "👩‍👧", "%s{room}"}
	for _, name := range good {
		_ = s.get(t, "/sub/room?since=now&timeout=0&presence="+url.QueryEscape(" "+name+" "))
	}
	require.ElementsMatch(t, good, s.here(t))
	require.Contains(t, s.toldInTime(t, "room", 5), `join "]}<script> 1`)
}

// A token's name counts, whatever the field says.
func TestPresenceOfTokens(t *testing.T) {
	t.Parallel()
	s := start(t, guarded())
	ann, nameless := "Authorization: Bearer "+token(t, "ann", time.Hour, nil), "Authorization: Bearer "+token(t, "", time.Hour, nil)
	for _, way := range ways {
		c := s.stream(t, way, "/sub/room-1?presence=bob", ann)
		defer c.Close()
	}
	s.do(t, "GET", "/sub/room-1?since=now&timeout=0&presence", "", ann)
	resp, _ := s.do(t, "GET", "/sub/room-1?since=now&timeout=0&presence", "", nameless)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	s.do(t, "GET", "/sub/room-1?since=now&timeout=0&presence=eve", "", nameless)
	s.do(t, "POST", "/presence/room-1?typing=true&name=bob", "", ann)
	_, text := s.do(t, "GET", "/presence/room-1", "", ann)
	require.JSONEq(t, `{"channel":"room-1","count":2,"names":["ann","eve"]}`, text)
	require.ElementsMatch(t, []string{"join ann 1", "join eve 2", "typing ann"}, s.toldInTime(t, "room-1", 3, ann))
	reader := "Authorization: Bearer " + token(t, "ann", time.Hour, func(c *tokens.Claims) { c.Rights.Publish = nil })
	resp, _ = s.do(t, "POST", "/presence/room-1?typing=true", "", reader)
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	exact := "Authorization: Bearer " + token(t, "ann", time.Hour, func(c *tokens.Claims) { c.Rights.Subscribe = []string{"one"} })
	resp, _ = s.do(t, "GET", "/sub/one:presence?since=all&timeout=0", "", exact)
	require.Equal(t, http.StatusOK, resp.StatusCode, "the right is that on the room")
}

// Who types is told once in 3 s, and not more than five in a second.
func TestTyping(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	for _, sent := range []struct{ body, kind string }{
		{`{"typing":true,"name":"ann"}`, "application/json"},
		{"typing=true&name=ann", "application/x-www-form-urlencoded"},
	} {
		resp, text := s.do(t, "POST", "/presence/room", sent.body, "Content-Type: "+sent.kind)
		require.Equal(t, http.StatusOK, resp.StatusCode, text)
		require.JSONEq(t, `{"status":"sent"}`, text)
	}
	require.Equal(t, []string{"typing ann"}, s.told(t))
	for i := range 100 {
		resp, _ := s.do(t, "POST", fmt.Sprint("/presence/busy?typing=true&name=", i), "")
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	require.LessOrEqual(t, len(toldOf(t, s.get(t, "/sub/busy:presence?since=all&timeout=0"))), 20)
	for _, body := range []string{"{}", `{"typing":false,"name":"a"}`, `{"typing":true,"name":1}`, `{"typing":"true","name":"a"}`, "["} {
		resp, _ := s.do(t, "POST", "/presence/room", body, "Content-Type: application/json")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, body)
	}
	resp, _ := s.do(t, "POST", "/presence/room?typing=true&name=ann", "", "Origin: https://evil.example")
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	slow := open()
	slow.PublishRate, slow.PublishBurst = 0.001, 1
	s = start(t, slow)
	s.do(t, "POST", "/presence/room?typing=true&name=ann", "")
	resp, _ = s.do(t, "POST", "/presence/room?typing=true&name=bob", "")
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
}

// Those of one address who have just left are bounded, and only those who ask for presence
// are refused.
func TestPresenceIsBounded(t *testing.T) {
	t.Parallel()
	set := open()
	set.MaxPollsPerAddress = 10
	s := start(t, set)
	for i := range 10 {
		s.get(t, fmt.Sprint("/sub/room?since=now&timeout=0&presence=", i))
	}
	resp, text := s.do(t, "GET", "/sub/room?since=now&timeout=0&presence=11", "")
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	require.Contains(t, text, "presence")
	s.get(t, "/sub/room?since=now&timeout=0")
	s.get(t, "/sub/room?since=now&timeout=0&presence=3")
	require.Len(t, s.here(t), 10)
	require.Contains(t, s.get(t, "/metrics"), "\npubsub_present 10\n")
	require.Contains(t, s.get(t, "/metrics"), "\npubsub_presence_joins_total 10\n")
}

// Instances that share a Redis are one server also in who is here. One that stops tells
// nobody to leave.
func TestPresenceOnInstances(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	a, b := start(t, onRedis(redis)), start(t, onRedis(redis))
	listener := b.stream(t, ways[0], "/sub/room:presence")
	defer listener.Close()
	ann := a.stream(t, ways[2], "/sub/room?presence=ann")
	defer ann.Close()
	require.Equal(t, []string{"join ann 1"}, listener.texts(t, 1))
	bob := b.stream(t, ways[1], "/sub/room?presence=bob")
	defer bob.Close()
	require.Equal(t, []string{"join bob 2"}, listener.texts(t, 1))
	require.Equal(t, []string{"ann", "bob"}, a.here(t))
	a.do(t, "POST", "/presence/room?typing=true&name=ann", "")
	b.do(t, "POST", "/presence/room?typing=true&name=ann", "")
	require.Equal(t, []string{"typing ann"}, listener.texts(t, 1))

	require.NoError(t, a.stop())
	again := b.stream(t, ways[2], "/sub/room?presence=ann")
	defer again.Close()
	eve := b.stream(t, ways[2], "/sub/room?presence=eve")
	defer eve.Close()
	require.Equal(t, []string{"join eve 3"}, listener.texts(t, 1), "nobody has left or come but eve")
	require.Equal(t, []string{"join ann 1", "join bob 2", "typing ann", "join eve 3"}, b.told(t))
	require.NotContains(t, b.get(t, "/channels"), "presence")
	require.Contains(t, b.get(t, "/debug"), "channels = 0\n")
	cursor := b.poll(t, "since=now&timeout=0").Cursor
	redis.Kill()
	resp, _ := b.do(t, "GET", "/presence/room", "")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Nil(t, b.poll(t, "timeout=0&presence=ann&since="+cursor).Gap, "polls go on")
}
