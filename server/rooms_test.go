package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sayFrom posts to a channel as a client of a trusted proxy.
func (s *running) sayFrom(t require.TestingT, address, channel string) (*http.Response, string) {
	return s.do(t, "POST", "/pub/"+channel+"?message=hi", "", "X-Forwarded-For: "+address)
}

// pollFrom begins a poll as a client of a trusted proxy.
func (s *running) pollFrom(t require.TestingT, address, path string) net.Conn {
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second))) // no test waits so long
	_, err = io.WriteString(c, head("GET", path, "X-Forwarded-For: "+address))
	require.NoError(t, err)
	return c
}

type channelList struct {
	Active []string `json:"active_channels"`
	More   bool
}

func (s *running) channels(t require.TestingT, query string) (list channelList) {
	require.NoError(t, json.Unmarshal([]byte(s.get(t, "/channels"+query)), &list))
	return list
}

// fine is for an answer that must be a 200.
func fine(t require.TestingT) func(*http.Response, string) {
	return func(resp *http.Response, body string) { require.Equal(t, http.StatusOK, resp.StatusCode, body) }
}

func TestAnAddressBeginsSoManyChannels(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxChannelsPerAddress, config.TrustedHops = 3, 1
	for name, c := range map[string]struct{ address, same, other string }{
		"IPv4": {"203.0.113.1", "203.0.113.1", "203.0.113.2"},
		"IPv6": {"2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:2:1::1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, config)
			for _, channel := range []string{"a", "b", "c", "a", "chat"} {
				fine(t)(s.sayFrom(t, c.address, channel))
			}
			resp, body := s.sayFrom(t, c.same, "d")
			requireRefused(t, resp, body, http.StatusTooManyRequests, "as many channels as one may")
			for _, channel := range []string{"a", "chat"} {
				fine(t)(s.sayFrom(t, c.same, channel))
			}
			require.EqualValues(t, 1, s.metric(t, `pubsub_requests_refused_total{reason="channels-per-address"}`))
			fine(t)(s.sayFrom(t, c.other, "d"))
			require.Equal(t, []string{"a", "b", "c", "chat", "d"}, s.channels(t, "").Active)
			s.get(t, "/readyz")
		})
	}
}

// On a full server a newcomer's channel takes the place of the oldest of who has
// most, as long as that has more than the newcomer.
func TestChannelsAreTakenFromWhoHasMost(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxChannels, config.TrustedHops = 4, 1
	s := start(t, config)
	for _, channel := range []string{"a1", "a2", "a3", "a4"} {
		fine(t)(s.sayFrom(t, "203.0.113.1", channel))
	}
	for address, channel := range map[string]string{"203.0.113.2": "b1", "2001:db8::1": "c1"} {
		fine(t)(s.sayFrom(t, address, channel))
	}
	require.Equal(t, []string{"a3", "a4", "b1", "c1"}, s.channels(t, "").Active)
	for _, address := range []string{"203.0.113.1", "203.0.113.2", "2001:db8:0:ffff::1"} {
		resp, body := s.sayFrom(t, address, "more")
		requireRefused(t, resp, body, http.StatusServiceUnavailable, "As many channels")
		fine(t)(s.sayFrom(t, address, "chat"))
	}
	s.get(t, "/readyz")
}

func TestChannelsThatAreWaitedOnAreNotTaken(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxChannels, config.TrustedHops = 3, 1
	s := start(t, config)
	for _, channel := range []string{"a1", "a2", "a3"} {
		fine(t)(s.sayFrom(t, "203.0.113.1", channel))
	}
	waiter := s.pollFrom(t, "203.0.113.9", "/sub/a1?since="+cursorOf(t, s.get(t, "/sub/a1?since=now&timeout=0")))
	defer waiter.Close()
	early := s.pollFrom(t, "203.0.113.9", "/sub/empty?since="+cursorOf(t, s.get(t, "/sub/empty?since=now&timeout=0")))
	defer early.Close()
	s.polling(t, 2)
	fine(t)(s.sayFrom(t, "203.0.113.2", "b"))
	require.Equal(t, []string{"a1", "a3", "b", "empty"}, s.channels(t, "").Active, "the oldest that nobody waits on is gone")

	other := s.pollFrom(t, "203.0.113.9", "/sub/a3")
	defer other.Close()
	s.polling(t, 3)
	resp, body := s.sayFrom(t, "203.0.113.3", "c")
	requireRefused(t, resp, body, http.StatusServiceUnavailable, "As many channels")

	other.Close()
	s.polling(t, 2)
	for channel, c := range map[string]net.Conn{"a1": waiter, "empty": early} {
		fine(t)(s.sayFrom(t, "203.0.113.4", channel))
		_, body := answer(t, c)
		require.Contains(t, body, `"message":"hi"`)
		require.NotContains(t, body, `"gap"`)
	}
}

// However many channels are asked for that nobody has posted to, there are none.
func TestReadingBeginsNoChannel(t *testing.T) {
	t.Parallel()
	config := open()
	config.ReadRate = 0
	s := start(t, config)
	require.Equal(t, `{"active_channels":[]}`+"\n", s.get(t, "/channels"))
	client := &fireClient{server: s}
	defer client.hangUp()
	paths := []string{"/sub/%d?since=all&timeout=0", "/subscribe/%d?timeout=0", "/api/poll/%d?timeout=0", "/api/poll/%d?last_message_id=0&timeout=0"}
	for i := range 10_000 {
		client.poll(t, fmt.Sprintf(paths[i%len(paths)], i), neverCut)
	}
	for i := range 100 {
		s.get(t, fmt.Sprintf("/chat?timeout=0&cur_len=1&chat_id=%d", i))
	}
	require.Contains(t, s.get(t, "/debug"), "\nchannels = 0\n")
	require.Equal(t, `{"active_channels":[]}`+"\n", s.get(t, "/channels"))

	waiter := s.dial(t, "/sub/waited")
	defer waiter.Close()
	s.polling(t, 1)
	s.do(t, "POST", "/pub/used?message=hi", "")
	require.Equal(t, []string{"used", "waited"}, s.channels(t, "").Active)
	require.Contains(t, s.get(t, "/debug"), "\nchannels = 1\n")
}

func TestListOfChannelsInParts(t *testing.T) {
	t.Parallel()
	config := open()
	config.ReadRate = 0
	s := start(t, config)
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprint("room-", i))
		s.do(t, "POST", "/pub/"+names[i]+"?message=hi", "")
	}
	for _, name := range []string{"room-7", "waited"} {
		c := s.dial(t, "/sub/"+name)
		defer c.Close()
	}
	s.polling(t, 2)
	names = append(names, "waited")
	slices.Sort(names)
	require.Equal(t, channelList{Active: names}, s.channels(t, ""))
	for _, limit := range []int{1, 43, 300, 301, 1000} { // 43 × 7 = 301
		var all []string
		list := channelList{More: true}
		for after := ""; list.More && len(all) <= len(names); after = list.Active[len(list.Active)-1] {
			list = s.channels(t, fmt.Sprintf("?limit=%d&after=%s", limit, after))
			require.NotEmpty(t, list.Active)
			require.LessOrEqual(t, len(list.Active), limit)
			all = append(all, list.Active...)
		}
		require.Equal(t, names, all, limit)
	}
	require.Equal(t, []string{"room-8", "room-80"}, s.channels(t, "?limit=2&after=room-7~").Active, "after a name that is none")
	require.Equal(t, `{"active_channels":[],"more":false}`+"\n", s.get(t, "/channels?limit=1&after=waited"))
	for _, limit := range []string{"0", "-1", "x", "1.5", "99999999999999999999", "%25"} {
		resp, body := s.do(t, "GET", "/channels?limit="+limit, "")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, limit)
		require.Contains(t, body, "limit must be a number")
	}
}

// An address may ask only now and then for what costs much: a long list, or a
// conversation that is to be put into text first.
func TestReadRate(t *testing.T) {
	t.Parallel()
	const rate = "more than 0.001 times a second"
	config := open()
	config.ReadRate, config.TrustedHops = 0.001, 1
	s := start(t, config)
	room := func(i int) string { return fmt.Sprint("room-", i) }
	get := func(address, path string) (*http.Response, string) {
		return s.do(t, "GET", path, "", "X-Forwarded-For: "+address)
	}
	for i := range 250 {
		s.sayFrom(t, "203.0.113.1", room(i))
	}
	for range 5 {
		fine(t)(get("203.0.113.1", "/channels"))
	}
	s.sayFrom(t, "203.0.113.1", room(250))
	fine(t)(get("203.0.113.1", "/channels"))
	resp, body := get("203.0.113.1", "/channels?limit=1")
	requireRefused(t, resp, body, http.StatusTooManyRequests, rate)
	fine(t)(get("203.0.113.2", "/channels"))

	fine(t)(get("203.0.113.3", "/chat?chat_id="+room(1)))
	for range 5 {
		fine(t)(get("203.0.113.3", "/chat?chat_id="+room(1)))
	}
	resp, body = get("203.0.113.3", "/chat?chat_id="+room(2))
	requireRefused(t, resp, body, http.StatusTooManyRequests, rate)
	fine(t)(get("203.0.113.3", "/sub?since=all&timeout=0"))
	require.EqualValues(t, 2, s.metric(t, `pubsub_requests_refused_total{reason="read-rate"}`))

	config.ReadRate = 0
	s = start(t, config)
	for i := range 300 {
		s.sayFrom(t, "203.0.113.1", room(i))
	}
	for i := range 300 {
		fine(t)(get("203.0.113.1", "/chat?chat_id="+room(i)))
		fine(t)(get("203.0.113.1", "/channels"))
	}
}

// Who has most of the polls makes room for who has fewer, in a full channel and on
// a full server.
func TestPollsAreTakenFromWhoHasMost(t *testing.T) {
	t.Parallel()
	config := open()
	config.TrustedHops = 1
	inChannel, inAll := config, config
	inChannel.MaxPollsPerChannel, inAll.MaxPolls = 20, 20
	for name, c := range map[string]struct {
		s         *running
		path      string // of the n-th poll
		newcomers string // channel
		sentence  string
	}{
		"channel": {start(t, inChannel), "/sub/room?since=now&timeout=60&n=%d", "room", "This channel has 20 pending polls"},
		"server":  {start(t, inAll), "/sub/room-%d?since=now&timeout=60", "room-21", "The server holds 20 polls"},
	} {
		t.Run(name, func(t *testing.T) {
			var conns []net.Conn
			poll := func(address string) net.Conn {
				conn := c.s.pollFrom(t, address, fmt.Sprintf(c.path, len(conns)))
				conns = append(conns, conn)
				return conn
			}
			defer func() {
				for _, conn := range conns {
					conn.Close()
				}
			}()
			for range 2 {
				for i := range 10 {
					poll(fmt.Sprint("203.0.113.", i))
				}
			}
			c.s.polling(t, 20)
			refused := func(conn net.Conn, sentence string) {
				resp, body := answerOf(t, conn)
				requireRefused(t, resp, body, http.StatusServiceUnavailable, sentence)
			}
			refused(poll("203.0.113.0"), c.sentence) // has as many as any
			type ended struct {
				resp *http.Response
				body string
			}
			displaced := make(chan ended, len(conns))
			for _, conn := range conns[:20] {
				go func() {
					resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
					if err != nil {
						resp = &http.Response{Body: http.NoBody}
					}
					body, _ := io.ReadAll(resp.Body)
					displaced <- ended{resp, string(body)}
				}()
			}
			newcomer := poll("198.51.100.1")
			first := <-displaced
			requireRefused(t, first.resp, first.body, http.StatusServiceUnavailable, "your address has most of the polls")
			require.True(t, first.resp.Close)
			c.s.polling(t, 20)
			refused(poll("198.51.100.1"), c.sentence) // would then have as many as the others
			require.Empty(t, displaced, "one made room")
			c.s.do(t, "POST", "/pub/"+c.newcomers+"?message=hi", "")
			_, body := answer(t, newcomer)
			require.Contains(t, body, `"message":"hi"`)
		})
	}
}

// answerOf is answer with the header.
func answerOf(t require.TestingT, c net.Conn) (*http.Response, string) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(b)
}
