package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"pubsub/server/post"
	"pubsub/server/settings"
)

// heard returns what is next said to the client beside messages.
func (s *streamed) heard(t require.TestingT) (text string) {
	for {
		one, err := s.next()
		require.NoError(t, err)
		if one.said+one.end != "" {
			return one.said + one.end
		}
	}
}

func webSocketEachWay(t *testing.T, set settings.Settings, test func(t *testing.T, s *running)) {
	t.Parallel()
	for _, over := range transports {
		t.Run(over.name, func(t *testing.T) {
			t.Parallel()
			test(t, over.start(t, set))
		})
	}
}

// A client publishes over its WebSocket, and each answer has the key that it sent.
func TestPublishOverAWebSocket(t *testing.T) {
	webSocketEachWay(t, open(), func(t *testing.T, s *running) {
		c := s.stream(t, ways[2], "/sub/room?since=all")
		defer c.Close()
		type answer struct {
			Published *struct {
				ID      int
				Cursor  string
				Channel string
			}
			Error  string
			Status int
			Key    string
		}
		ask := func(text string) (a answer) {
			c.say(t, text)
			require.NoError(t, json.Unmarshal([]byte(c.heard(t)), &a))
			return a
		}
		first := ask(`{"publish":{"message":"hi"},"key":"k1"}`)
		require.Equal(t, "k1", first.Key)
		require.Equal(t, 1, first.Published.ID)
		require.Equal(t, "room", first.Published.Channel)
		again := ask(`{"publish":{"message":"hi"},"key":"k1"}`)
		require.Equal(t, first, again, "the key says that it is the same")
		other := ask(`{"publish":{"message":"hi","id":99,"temperature":7},"channel":"other"}`)
		require.Equal(t, 1, other.Published.ID)
		require.Equal(t, "other", other.Published.Channel)

		for text, status := range map[string]int{
			`nonsense`: 400, `{"publish":7}`: 400, `{}`: 400, `{"publish":{"message":"hi"},"channel":"a b"}`: 400,
			`{"publish":{"message":"` + strings.Repeat("x", 17<<10) + `"}}`:                                413,
			`{"publish":{"message":"hi"},"key":"` + strings.Repeat("k", 256) + `"}`:                        400,
			`{"publish":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `},"key":"nested"}`: 400,
		} {
			a := ask(text)
			require.Equal(t, status, a.Status, "%.50s", text)
			require.NotEmpty(t, a.Error)
		}
		page := s.poll(t, "since=all&timeout=0")
		require.Equal(t, []string{"hi"}, page.texts())
	})
}

// Messages that the client publishes and those that it is given are whole, whoever writes.
func TestAWebSocketThatTalksAndListens(t *testing.T) {
	webSocketEachWay(t, open(), func(t *testing.T, s *running) {
		const messages = 500
		c := s.stream(t, ways[2], "/sub/room?since=all")
		defer c.Close()
		go func() {
			for i := range messages {
				if ws.WriteFrame(c, ws.MaskFrame(ws.NewTextFrame(fmt.Appendf(nil, `{"publish":{"message":"%d"},"key":"%d"}`, i, i)))) != nil {
					return
				}
			}
		}()
		var got, said int
		for got < messages || said < messages {
			one, err := c.next()
			require.NoError(t, err)
			if one.text != "" {
				require.Equal(t, fmt.Sprint(got), one.text)
				got++
			}
			if one.said != "" {
				require.Contains(t, one.said, fmt.Sprintf(`"key":"%d"`, said))
				said++
			}
		}
	})
}

// On a stream of several channels the client names the one that it means.
func TestPublishOverAWebSocketOfSeveralChannels(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	c := s.stream(t, ways[2], "/sub/a,b")
	defer c.Close()
	c.say(t, `{"publish":{"message":"hi"},"key":"1"}`)
	require.Contains(t, c.heard(t), "Name the one to publish on")
	c.say(t, `{"publish":{"message":"hi"},"channel":"b"}`)
	require.Contains(t, c.heard(t), `"channel":"b"`)
	require.Equal(t, []string{"hi"}, s.stream(t, ways[2], "/sub/a,b?since=all").texts(t, 1))
}

// Frames may be cut anywhere, and texts may come in several frames with pings between.
func TestFramesOfAWebSocket(t *testing.T) {
	webSocketEachWay(t, open(), func(t *testing.T, s *running) {
		c := s.stream(t, ways[2], "/sub/room")
		defer c.Close()
		text := []byte(`{"publish":{"message":"in parts"}}`)
		var all []byte
		for i, part := range [][]byte{text[:3], text[3:20], text[20:]} {
			op := ws.OpContinuation
			if i == 0 {
				op = ws.OpText
			}
			all = append(all, ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, i == 2, append([]byte(nil), part...))))...)
			if i == 1 {
				all = append(all, ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame([]byte("between"))))...)
			}
		}
		for _, b := range all {
			_, err := c.Write([]byte{b})
			require.NoError(t, err)
		}
		require.Equal(t, "pong between", c.heard(t))
		require.Equal(t, []string{"in parts"}, c.texts(t, 1))
	})
}

// A client that breaks the protocol is told by the code with which it is closed.
func TestWebSocketsThatBreakTheProtocol(t *testing.T) {
	webSocketEachWay(t, open(), func(t *testing.T, s *running) {
		masked := func(f ws.Frame) []byte { return ws.MustCompileFrame(ws.MaskFrame(f)) }
		huge := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: 1 << 40}
		var head strings.Builder
		require.NoError(t, ws.WriteHeader(&head, huge))
		for name, c := range map[string]struct {
			send []byte
			end  string
		}{
			"not masked":       {ws.MustCompileFrame(ws.NewTextFrame([]byte("{}"))), "(1002)"},
			"not UTF-8":        {masked(ws.NewTextFrame([]byte("{\"publish\":{\"message\":\"caf\xe9\"}}"))), "(1007)"},
			"binary":           {masked(ws.NewBinaryFrame([]byte("{}"))), "(1003)"},
			"too long":         {[]byte(head.String()), "(1009)"},
			"reserved":         {[]byte{0xf1, 0x80, 0, 0, 0, 0}, "(1002)"},
			"a part of none":   {masked(ws.NewFrame(ws.OpContinuation, true, nil)), "(1002)"},
			"goodbye":          {masked(ws.NewCloseFrame(ws.NewCloseFrameBody(4000, "enough"))), "(4000)"},
			"empty goodbye":    {masked(ws.NewCloseFrame(nil)), "(1000)"},
			"goodbye of 1005":  {masked(ws.NewCloseFrame(ws.NewCloseFrameBody(1005, ""))), "(1002)"},
			"long ping":        {masked(ws.NewFrame(ws.OpPing, true, make([]byte, 126))), "(1002)"},
			"a text in a text": {append(masked(ws.NewFrame(ws.OpText, false, []byte("{"))), masked(ws.NewTextFrame([]byte("}")))...), "(1002)"},
		} {
			t.Run(name, func(t *testing.T) {
				stream := s.stream(t, ways[2], "/sub/room")
				defer stream.Close()
				_, err := stream.Write(c.send)
				require.NoError(t, err)
				require.Contains(t, stream.heard(t), c.end)
			})
		}
		s.streaming(t, 0)
	})
}

func TestHandshakesOfWebSockets(t *testing.T) {
	t.Parallel()
	set := open()
	set.AllowedOrigins = []string{"https://friend.example"}
	s := start(t, set)
	const good = "GET|Upgrade: websocket|Connection: Upgrade|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	for change, status := range map[string]int{
		"": 101,
		"Sec-WebSocket-Version: 13>Sec-WebSocket-Version: 8": 426,
		"Upgrade: websocket|>":                               426, // as some proxies have it
		"dGhlIHNhbXBsZSBub25jZQ==>short":                     400,
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==>X: y":   400,
		"GET>POST":                              405,
		"Upgrade: websocket>Upgrade: WebSocket": 101,
		"Connection: Upgrade>Connection: Upgrade|Origin: https://enemy.example":  403,
		"Connection: Upgrade>Connection: Upgrade|Origin: https://friend.example": 101,
		"Connection: Upgrade>Connection: Upgrade|Origin: http://chat":            101,
	} {
		from, to, _ := strings.Cut(change, ">")
		method, headers, _ := strings.Cut(strings.Replace(good, from, to, 1), "|")
		way := ways[2]
		way.header = strings.ReplaceAll(headers, "|", "\r\n")
		stream, err := s.tryStreamBy(method, way, "/sub/room")
		require.NoError(t, err, change)
		require.Equal(t, status, stream.status, change)
		stream.Close()
	}
	resp, _ := s.do(t, http.MethodGet, "/sub/room?since=all&timeout=0", "", "Origin: https://enemy.example")
	require.Equal(t, http.StatusOK, resp.StatusCode, "which the browser keeps from that page")
}

// Who asks on and on and reads nothing is cut off.
func TestAWebSocketThatOnlyTalks(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	c := s.stream(t, ways[2], "/sub/room")
	defer c.Close()
	pings := bytes.Repeat(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(make([]byte, 125)))), 100)
	for err := error(nil); err == nil; {
		_, err = c.Write(pings)
	}
	s.streaming(t, 0)
}

// Who sends without end is slowed down to the rate of requests.
func TestAWebSocketIsPaced(t *testing.T) {
	t.Parallel()
	set := open()
	set.RequestRate = 100
	s := start(t, set)
	c := s.stream(t, ways[2], "/sub/room")
	defer c.Close()
	began := time.Now()
	const pings = 60
	for range pings {
		require.NoError(t, ws.WriteFrame(c, ws.MaskFrame(ws.NewPingFrame(nil))))
	}
	for range pings {
		c.heard(t)
	}
	require.Greater(t, time.Since(began), (pings-20)*time.Second/100)
}

// Texts that do not come to an end are bounded for an address.
func TestLongTextsUnderWay(t *testing.T) {
	set := open()
	set.MaxMessageBytes = 1 << 20
	webSocketEachWay(t, set, func(t *testing.T, s *running) {
		whole := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"publish":{"message":"` + strings.Repeat("x", 900<<10) + `"}}`))))
		heard := make(chan string, 12)
		begin := func(i int) *streamed { // each in a room of its own, as nobody is to read the texts of all
			c := s.stream(t, ways[2], fmt.Sprint("/sub/room", i))
			_, err := c.Write(whole[:len(whole)-1])
			require.NoError(t, err)
			go func() {
				one, err := c.next()
				for err == nil && one.said+one.end == "" {
					one, err = c.next()
				}
				heard <- one.said + one.end
			}()
			return c
		}
		first := begin(0) // and finished soon, as that has a time limit
		all := []*streamed{first}
		for len(all) < cap(heard) && len(heard) == 0 {
			all = append(all, begin(len(all)))
		}
		refused := func(text string) bool { return text == "" || strings.Contains(text, "too-much") } // maybe the connection is reset
		text := <-heard
		require.True(t, refused(text), text)
		_, err := first.Write(whole[len(whole)-1:])
		require.NoError(t, err)
		for refused(text) {
			text = <-heard
		}
		require.Contains(t, text, "published")
		for _, c := range all {
			c.Close()
		}
		s.streaming(t, 0)
		again := s.stream(t, ways[2], "/sub/room")
		defer again.Close()
		_, err = again.Write(whole)
		require.NoError(t, err)
		require.Contains(t, again.heard(t), "published", "what was held is given back")
	})
}

// Nothing stays of a text whose client hung up before its end, which nobody counts any
// more.
func TestNothingStaysOfTextsThatBroke(t *testing.T) {
	const clients, size = 300, 90_000
	s := start(t, open())
	begun := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(make([]byte, size))))
	before := heap()
	for range clients {
		c := s.stream(t, ways[2], "/sub/room")
		_, err := c.Write(begun[:len(begun)-1])
		require.NoError(t, err)
		c.Close()
	}
	s.streaming(t, 0)
	require.Eventually(t, func() bool { return heap()-before < clients*size/4 }, post.BodyTimeout/2, 100*time.Millisecond)
}
