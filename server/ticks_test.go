package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"
)

// A stream ends with its lifetime, and a WebSocket is pinged, also where there is always
// something new.
func TestTicksOfABusyStream(t *testing.T) {
	set := open()
	set.Heartbeat, set.StreamLifetime = 500*time.Millisecond, 1200*time.Millisecond // too short for three pings without an answer
	eachWay(t, set, func(t *testing.T, s *running, way way) {
		c := s.stream(t, way, "/sub/room?since=all")
		defer c.Close()
		began := time.Now()
		for i := 0; ; i++ {
			require.Less(t, time.Since(began), 10*time.Second)
			require.Equal(t, http.StatusOK, s.say(t, fmt.Sprint(i)))
			one, err := c.next()
			for err == nil && one.text+one.end == "" {
				one, err = c.next()
			}
			require.NoError(t, err)
			if one.end != "" {
				require.Contains(t, one.end, "lifetime")
				return
			}
			require.Equal(t, fmt.Sprint(i), one.text)
		}
	})
}

// Without a lifetime no stream ends by itself.
func TestStreamsWithoutALifetime(t *testing.T) {
	set := open()
	set.Heartbeat, set.StreamLifetime = 500*time.Millisecond, 0
	eachWay(t, set, func(t *testing.T, s *running, way way) {
		c := s.stream(t, way, "/sub/room")
		defer c.Close()
		for range 3 {
			one, err := c.next()
			require.NoError(t, err)
			require.Empty(t, one.end)
		}
	})
}

// Streams that cannot be taken over hold a bounded part of the memory, too, for clients
// that ask for much and never read it.
func TestUnreadStreamsAreBounded(t *testing.T) {
	const clients, messages = 300, 32 // of 256 KB each for every client: 75 MB
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		client := p.dial()
		defer client.Close()
		for range messages {
			_, err := io.WriteString(client, postOf("/pub", jsonBody, `{"message":"`+strings.Repeat("x", 16_000)+`"}`))
			require.NoError(t, err)
			status, _ := answer(t, client)
			require.Equal(t, 200, status)
		}
		before := heap()
		conns := make([]net.Conn, clients)
		for i := range conns {
			conns[i] = p.dial()
			defer conns[i].Close()
			_, err := io.WriteString(conns[i], head("GET", "/sub?since=all", ways[i%len(ways)].header))
			require.NoError(t, err)
		}
		synctest.Wait()
		held := heap() - before
		t.Logf("%d MiB held", held>>20)
		require.Less(t, held, int64(8+clients*(32+32)/1024)<<20) // large pages, small ones and connections
	})
}

// Who sends one text after another has time for each, also if it never stops between two
// of them.
func TestTextsWithoutAPause(t *testing.T) {
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		c := p.dial()
		defer c.Close()
		_, err := io.WriteString(c, head("GET", "/sub/room", ways[2].header))
		require.NoError(t, err)
		stream := &streamed{Conn: c, r: bufio.NewReader(c), read: ways[2].read}
		resp, err := http.ReadResponse(stream.r, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
		text := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(`{"publish":{"message":"hi"}}`))))
		turned := slices.Concat(text[9:], text[:9]) // the end of one, and the beginning of the next
		said := make(chan string, 100)
		go func() { // what is not read would hold up the server, and its clock with it
			defer close(said)
			for {
				one, err := stream.next()
				if err != nil {
					return
				}
				if one.said != "" {
					said <- one.said
				}
			}
		}()
		_, err = c.Write(text[:9])
		for range 15 { // seconds, so that no ping comes: a pipe has no room for its answer
			require.NoError(t, err)
			time.Sleep(time.Second)
			_, err = c.Write(turned)
			require.Contains(t, <-said, "published")
		}
	})
}

// slowly reads 20 KB a second.
type slowly struct{ io.Reader }

func (s slowly) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	time.Sleep(time.Duration(n) * time.Second / 20_000)
	return n, err
}

// Who reads slowly what there is, so that it never catches up, is sent heartbeats all the
// same, and ends with its lifetime; as a WebSocket it ends before, if it answers no ping.
func TestWhoCatchesUpIsLookedAfter(t *testing.T) {
	set := open()
	set.Heartbeat, set.StreamLifetime = 10*time.Second, time.Minute
	catchingUp := func(t *testing.T, way way, test func(t *testing.T, c net.Conn)) {
		bubble(t, set, func(t *testing.T, p *pipes, _ func()) {
			c := p.dial()
			defer c.Close()
			for range 200 {
				_, err := io.WriteString(c, postOf("/pub", jsonBody, `{"message":"`+strings.Repeat("x", 15_000)+`"}`))
				require.NoError(t, err)
				status, _ := answer(t, c)
				require.Equal(t, http.StatusOK, status)
			}
			_, err := io.WriteString(c, head("GET", "/sub?since=all", way.header))
			require.NoError(t, err)
			test(t, c)
		})
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			catchingUp(t, way, func(t *testing.T, c net.Conn) {
				stream := &streamed{Conn: c, r: bufio.NewReader(slowly{c}), read: way.read}
				resp, err := http.ReadResponse(stream.r, nil)
				require.NoError(t, err)
				if resp.TransferEncoding != nil {
					stream.r = bufio.NewReader(resp.Body)
				}
				beats, began := 0, time.Now()
				for {
					one, err := stream.next()
					require.NoError(t, err)
					if one.end != "" {
						require.Contains(t, one.end, "lifetime")
						break
					}
					if one.isNothing() {
						beats++
					}
					require.Less(t, time.Since(began), 2*time.Minute)
				}
				require.Greater(t, beats, 1)
			})
		})
	}
	t.Run("no pong", func(t *testing.T) {
		catchingUp(t, ways[2], func(t *testing.T, c net.Conn) {
			came, _ := io.ReadAll(slowly{c})
			require.Contains(t, string(came), "silent: Pings were not answered.")
		})
	})
}
