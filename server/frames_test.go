package server_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed is a connection of HTTP/2 on which each frame is the test's own.
type framed struct {
	*http2.Framer
	conn   net.Conn
	header []byte // of each request
	stream uint32 // the last that was begun
}

// frame opens a connection on which an answer has so much room.
func (r *running) frame(t *testing.T, window uint32, method, path string) *framed {
	config := r.tls.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", r.addr, config)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return framedOn(t, c, window, method, path)
}

func framedOn(t *testing.T, c net.Conn, window uint32, method, path string) *framed {
	f := &framed{Framer: http2.NewFramer(c, c), conn: c}
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err := io.WriteString(c, http2.ClientPreface)
	require.NoError(t, err)
	require.NoError(t, f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	var header bytes.Buffer
	e := hpack.NewEncoder(&header)
	e.SetMaxDynamicTableSize(0) // so that the same bytes are good for each request
	for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "chat"}, {":path", path}} {
		require.NoError(t, e.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
	}
	f.header = header.Bytes()
	return f
}

// ask begins a request.
func (f *framed) ask(t *testing.T, ended bool) {
	f.stream = max(f.stream+2, 1) | 1
	require.NoError(t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream, BlockFragment: f.header, EndStream: ended, EndHeaders: true}))
}

// outcomes reads until so many requests have been answered or cut off, and counts them by
// what came of them: a status, or "cut".
func (f *framed) outcomes(t *testing.T, n int) map[string]int {
	all := map[string]int{}
	for range n {
		for {
			frame, err := f.ReadFrame()
			require.NoError(t, err)
			if answer, is := frame.(*http2.MetaHeadersFrame); is {
				all[answer.PseudoValue("status")]++
				break
			}
			if _, is := frame.(*http2.RSTStreamFrame); is {
				all["cut"]++
				break
			}
		}
	}
	return all
}

// Requests of an address that are under way are bounded over all of its connections, also
// if no answer is taken in. Few are told so, and nobody else notices.
func TestRequestsOverHTTP2AreBounded(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	set.MaxConnectionsPerAddress = 20
	s := start(t, set)
	c := s.overTLS(t, true, certificate)
	f := c.frame(t, 0, "GET", "/file.txt")
	for range 30 {
		f.ask(t, true)
	}
	outcomes := f.outcomes(t, 30)
	require.Equal(t, 20, outcomes["200"])
	require.Equal(t, 10, outcomes["429"]+outcomes["cut"], "%v", outcomes)
	require.GreaterOrEqual(t, outcomes["429"], 5, "are told so")
	again := c.frame(t, 0, "GET", "/file.txt")
	again.ask(t, true)
	require.Equal(t, map[string]int{"429": 1}, again.outcomes(t, 1), "on another connection")

	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 77)}}).Dial("tcp", s.addr)
	require.NoError(t, err)
	other := tls.Client(conn, &tls.Config{RootCAs: c.tls.RootCAs, ServerName: "127.0.0.1"})
	defer other.Close()
	_, err = io.WriteString(other, request("/file.txt"))
	require.NoError(t, err)
	status, _ := answer(t, other)
	require.Equal(t, http.StatusOK, status, "of another address")

	f.conn.Close()
	again.conn.Close()
	require.Eventually(t, func() bool {
		resp, err := c.http.Get(c.url("/file.txt"))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, time.Millisecond)
}

// Behind a proxy no connection is the client's, so its requests count.
func TestRequestsThroughAProxyAreBounded(t *testing.T) {
	t.Parallel()
	set := open()
	set.TrustedHops, set.MaxConnectionsPerAddress, set.MaxPollsPerAddress = 1, 20, 15
	s := start(t, set)
	begin := func(request string) {
		c, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		_, err = io.WriteString(c, request)
		require.NoError(t, err)
	}
	for range 15 {
		begin(head("GET", "/sub/room?since=now&timeout=60", "X-Forwarded-For: 203.0.113.1"))
	}
	s.polling(t, 15)
	var resp *http.Response
	var body string
	for range 20 { // bodies that do not come
		begin(head("POST", "/pub/room", "X-Forwarded-For: 203.0.113.1", "Content-Length: 10"))
	}
	require.Eventually(t, func() bool { // they may not have been counted yet
		resp, body = s.do(t, "GET", "/sub/room?since=now&timeout=0", "", "X-Forwarded-For: 203.0.113.1")
		return resp.StatusCode != http.StatusOK
	}, patience, time.Millisecond)
	requireRefused(t, resp, body, 429, "20 requests of your address are under way")
	resp, body = s.do(t, "POST", "/pub/room?message=hi", "", "X-Forwarded-For: 203.0.113.2")
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
}

// Short answers that are not taken in have no handler any more, and count, too. A connection
// with many waits for room, and the one with most makes it.
func TestShortAnswersOverHTTP2AreBounded(t *testing.T) {
	t.Parallel()
	set, certificate := withTLS(t)
	set.MaxConnectionsPerAddress = 20 // and three times as many answers
	c := start(t, set).overTLS(t, true, certificate)
	ask := func(f *framed, n int) {
		for range n {
			f.ask(t, true)
			require.Equal(t, map[string]int{"200": 1}, f.outcomes(t, 1))
		}
	}
	most := c.frame(t, 0, "GET", "/healthz")
	ask(most, 30)
	waits := c.frame(t, 0, "GET", "/healthz")
	ask(waits, 4)
	waits.ask(t, true)
	var others []*framed
	for range 7 {
		others = append(others, c.frame(t, 0, "GET", "/healthz"))
		ask(others[len(others)-1], 4)
	}
	for err := error(nil); err == nil; {
		_, err = most.ReadFrame()
	}
	others[0].conn.Close()
	require.Equal(t, map[string]int{"200": 1}, waits.outcomes(t, 1))
	ask(c.frame(t, 1<<20, "GET", "/healthz"), 100)
}

// Who sends much that is nothing is slowed down.
func TestFramesThatCarryNothingArePaced(t *testing.T) {
	set, _ := withTLS(t)
	set.RequestRate = 500
	for name, send := range map[string]func(*framed) error{
		"requests taken back": func(f *framed) error {
			f.ask(t, true)
			return f.WriteRSTStream(f.stream, http2.ErrCodeCancel)
		},
		"empty data":     func(f *framed) error { return f.WriteData(1, false, nil) },
		"a byte at once": func(f *framed) error { return f.WriteData(1, false, []byte("x")) },
		"pings":          func(f *framed) error { return f.WritePing(false, [8]byte{}) },
		"settings":       func(f *framed) error { return f.WriteSettings() },
		"priorities":     func(f *framed) error { return f.WritePriority(1, http2.PriorityParam{StreamDep: 3}) },
		"windows":        func(f *framed) error { return f.WriteWindowUpdate(0, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, set, func(t *testing.T, p *pipes, _ func()) {
				c := tls.Client(p.dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
				defer c.Close()
				require.NoError(t, c.Handshake())
				f := framedOn(t, c, 1<<20, "POST", "/pub/room")
				go io.Copy(io.Discard, c)
				f.ask(t, false)
				began := time.Now()
				for range 3000 {
					require.NoError(t, send(f))
				}
				require.Greater(t, time.Since(began), 3*time.Second)
			})
		})
	}
}

// longTalk runs a test with a connection of HTTP/2 that asks for 150 KB, and has so much room
// for each answer.
func longTalk(t *testing.T, window uint32, test func(f *framed)) {
	set, _ := withTLS(t)
	set.RequestRate = 500
	bubble(t, set, func(t *testing.T, p *pipes, _ func()) {
		poster := tls.Client(p.dial(), &tls.Config{InsecureSkipVerify: true})
		defer poster.Close()
		for range 10 {
			_, err := io.WriteString(poster, postOf("/pub/room", jsonBody, `{"message": "`+strings.Repeat("x", 15_000)+`"}`))
			require.NoError(t, err)
			status, body := answer(t, poster)
			require.Equal(t, http.StatusOK, status, body)
		}
		c := tls.Client(p.dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		defer c.Close()
		require.NoError(t, c.Handshake())
		test(framedOn(t, c, window, "GET", "/history/room"))
	})
}

// Who reads much, and says so for each piece, waits for nothing.
func TestWhoReadsMuchOverHTTP2WaitsForNothing(t *testing.T) {
	longTalk(t, 1<<20, func(f *framed) {
		began, read := time.Now(), 0
		for range 20 {
			f.ask(t, true)
			for ended := false; !ended; {
				frame, err := f.ReadFrame()
				require.NoError(t, err)
				piece, is := frame.(*http2.DataFrame)
				if !is {
					continue
				}
				ended = piece.StreamEnded()
				read += len(piece.Data())
				for left := len(piece.Data()); left > 0; left -= 4096 { // as Go's client does
					require.NoError(t, f.WriteWindowUpdate(0, uint32(min(left, 4096))))
					require.NoError(t, f.WriteWindowUpdate(piece.StreamID, uint32(min(left, 4096))))
				}
			}
		}
		require.Greater(t, read, 20*150_000)
		require.Less(t, time.Since(began), 100*time.Millisecond)
	})
}

// Who has an answer sent byte by byte is slowed down.
func TestAnAnswerByteByByteIsPaced(t *testing.T) {
	longTalk(t, 0, func(f *framed) {
		f.ask(t, true)
		began := time.Now()
		for range 3000 {
			require.NoError(t, f.WriteWindowUpdate(f.stream, 1))
			for got := false; !got; {
				frame, err := f.ReadFrame()
				require.NoError(t, err)
				_, got = frame.(*http2.DataFrame)
			}
		}
		require.Greater(t, time.Since(began), 3*time.Second)
	})
}
