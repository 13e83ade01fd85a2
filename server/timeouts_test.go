package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server"
	"pubsub/server/settings"
)

// pipes is a listener in memory: its connections can be used in a bubble, where
// a minute takes no time.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	near, far := net.Pipe()
	p.dialed <- far
	return near
}

// bubble runs a test with a server in a bubble.
func bubble(t *testing.T, config settings.Settings, test func(t *testing.T, p *pipes, stop func())) {
	bubbleLogging(t, config, slog.New(slog.DiscardHandler), test)
}

func bubbleLogging(t *testing.T, config settings.Settings, log *slog.Logger, test func(t *testing.T, p *pipes, stop func())) {
	synctest.Test(t, func(t *testing.T) {
		s, err := server.New(config, static, page, log)
		require.NoError(t, err)
		p := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, p, nil) }()
		defer func() { // also of a test that failed: the bubble waits for all in it
			cancel()
			require.NoError(t, <-served)
			require.NoError(t, s.Close())
		}()
		test(t, p, cancel)
	})
}

// ends reads a connection to its end, and returns what came and how long that
// took.
func ends(c net.Conn) (text string, took time.Duration) {
	began := time.Now()
	b, _ := io.ReadAll(c)
	return string(b), time.Since(began)
}

func TestSlowSendersAreGoneWithinTheirTimeouts(t *testing.T) {
	for name, c := range map[string]struct {
		begin  string
		slow   bool // what follows comes at a byte a second
		within time.Duration
		answer string
	}{
		"nothing at all": {"", false, 10 * time.Second, ""},
		"a header":       {"GET /sub HTTP/1.1\r\nX-Slow: ", true, 10 * time.Second, ""},
		"a body": {
			"POST /pub HTTP/1.1\r\nHost: chat\r\nContent-Length: 1000\r\n\r\nmessage=", true, 10 * time.Second, "408 ",
		},
		"a body that nobody reads": {
			"POST /nothing HTTP/1.1\r\nHost: chat\r\nContent-Length: 1000\r\n\r\n", true, 10 * time.Second, "404 ",
		},
		"a body in chunks": {
			"POST /pub HTTP/1.1\r\nHost: chat\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nmessage=", true, 10 * time.Second, "408 ",
		},
		"a second request": {request("/debug"), false, 2 * time.Minute, "200 "},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
				client := p.dial()
				var sender sync.WaitGroup
				sender.Go(func() {
					_, err := io.WriteString(client, c.begin)
					for err == nil && c.slow { // a byte a second, until the server has had enough
						time.Sleep(time.Second)
						_, err = client.Write([]byte("x"))
					}
				})
				text, took := ends(client)
				client.Close()
				sender.Wait()
				require.Contains(t, text, c.answer)
				require.LessOrEqual(t, took, c.within+time.Second)
			})
		})
	}
}

func TestClientsThatNeverReadAreGoneWithinTheirTimeout(t *testing.T) {
	for _, path := range []string{"/file.txt", "/", "/sub?since=now&timeout=0", "/nothing", "/debug", "/chat?cur_len=1", "/metrics", "/healthz"} {
		bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
			client := p.dial() // a pipe has no buffer: the first byte of an answer waits
			defer client.Close()
			_, err := io.WriteString(client, request(path))
			require.NoError(t, err)
			time.Sleep(time.Second)
			_, err = io.WriteString(client, request(path)) // taken in only once the answer is
			require.Error(t, err, path)
		})
	}
}

// A poll's wait is cut by none of these timeouts, and its client is sent a
// newline every 20 s.
func TestLongPollOutlivesAllTimeouts(t *testing.T) {
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		client := p.dial()
		defer client.Close()
		_, err := io.WriteString(client, request("/sub"))
		require.NoError(t, err)
		time.AfterFunc(10*time.Minute+time.Second, func() {
			poster := p.dial()
			fmt.Fprint(poster, "POST /pub?message=late HTTP/1.1\r\nHost: chat\r\n\r\n")
			_, _ = answer(t, poster)
			poster.Close()
		})
		began := time.Now()
		status, body := answer(t, client)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, 10*time.Minute+time.Second, time.Since(began))
		require.Equal(t, 30+1, strings.Count(body, "\n"), "a newline every 20 s, and one at the end")
		require.Contains(t, body, `"message":"late"`)
	})
}

// A drain ends a plain /sub that was sent newlines already: whole, and without
// a message, which makes its client ask again.
func TestDrainEndsAnAnswerThatHadBegun(t *testing.T) {
	bubble(t, open(), func(t *testing.T, p *pipes, stop func()) {
		client := p.dial()
		defer client.Close()
		_, err := io.WriteString(client, request("/sub"))
		require.NoError(t, err)
		time.AfterFunc(50*time.Second, stop)
		status, body := answer(t, client)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "\n\n", body)
	})
}

func TestPollTimeouts(t *testing.T) {
	config := open()
	for query, want := range map[string][2]time.Duration{
		"":              {config.PollTimeout * 9 / 10, config.PollTimeout * 11 / 10},
		"&timeout=0":    {0, 0},
		"&timeout=1.5":  {1500 * time.Millisecond, 1500 * time.Millisecond},
		"&timeout=3600": {time.Minute, time.Minute},
		"&timeout=1e99": {time.Minute, time.Minute},
	} {
		bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
			client := p.dial()
			defer client.Close()
			began := time.Now()
			_, err := io.WriteString(client, request("/sub?since=now"+query))
			require.NoError(t, err)
			_, body := answer(t, client)
			require.Contains(t, body, `{"messages":[],`)
			require.GreaterOrEqual(t, time.Since(began), want[0], query)
			require.LessOrEqual(t, time.Since(began), want[1], query)
		})
	}
}

// A plain /sub whose place a newer one takes is told so; one that was sent newlines
// already cannot be told, and must not end as if it had been answered.
func TestSupersededPollIsToldOrCut(t *testing.T) {
	config := open()
	config.MaxPollsPerClient = 1
	for name, c := range map[string]struct {
		after time.Duration
		check func(t *testing.T, resp *http.Response, body string, err error)
	}{
		"before a newline": {config.Heartbeat / 2, func(t *testing.T, resp *http.Response, body string, err error) {
			require.NoError(t, err)
			requireRefused(t, resp, body, http.StatusTooManyRequests, "Newer polls of this client")
		}},
		"after two": {config.Heartbeat * 5 / 2, func(t *testing.T, resp *http.Response, body string, err error) {
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, "\n\n", body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
				poll := func() net.Conn {
					c := p.dial()
					_, err := io.WriteString(c, head("GET", "/sub", "X-Client-ID: tab"))
					check(t, err == nil, "%v", err)
					return c
				}
				client := poll()
				defer client.Close()
				time.AfterFunc(c.after, func() {
					newer := poll()
					time.Sleep(time.Second)
					newer.Close()
				})
				began := time.Now()
				resp, err := http.ReadResponse(bufio.NewReader(client), nil)
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				c.check(t, resp, string(body), err)
				require.InDelta(t, c.after.Seconds(), time.Since(began).Seconds(), 1)
			})
		})
	}
}

// The place that a connection remembers may be in a channel whose messages are gone
// and whose place another has taken: its next poll waits for what comes, and the ids
// go on.
func TestPlainPollWaitsOnWhereItsChannelIsGone(t *testing.T) {
	config := open()
	config.HistoryAge, config.MaxChannels = time.Second, 1
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		poster, client := p.dial(), p.dial()
		defer poster.Close()
		defer client.Close()
		post := func(path string) {
			fmt.Fprintf(poster, "POST %s HTTP/1.1\r\nHost: chat\r\n\r\n", path)
			status, _ := answer(t, poster)
			require.Equal(t, http.StatusOK, status)
		}
		for id, said := range []string{"first", "second"} {
			_, err := io.WriteString(client, request("/sub/room"))
			require.NoError(t, err)
			synctest.Wait()
			time.AfterFunc(3*time.Second, func() { post("/pub/room?message=" + said) })
			status, body := answer(t, client)
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, fmt.Sprintf(`"id":%d,`, id+1))
			require.Contains(t, body, said)
			time.Sleep(2 * time.Second) // the message expires
			post("/pub/other?message=takes+the+place")
			time.Sleep(2 * time.Second)
		}
	})
}

// A client that asks again and again does not hold a drain up for ever, also
// where that has no timeout.
func TestDrainWithoutATimeoutEnds(t *testing.T) {
	config := open()
	config.DrainTimeout = 0
	bubble(t, config, func(t *testing.T, p *pipes, stop func()) {
		client := p.dial()
		defer client.Close()
		fmt.Fprint(client, "POST /pub?message=hi HTTP/1.1\r\nHost: chat\r\n\r\n")
		_, _ = answer(t, client)
		stop()
		began := time.Now()
		for time.Since(began) < time.Hour {
			if _, err := io.WriteString(client, request("/sub?since=all&timeout=0")); err != nil {
				break
			}
			if _, err := http.ReadResponse(bufio.NewReader(client), nil); err != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		require.Less(t, time.Since(began), 15*time.Second)
	})
}

// In the drain delay /readyz says that the server leaves, and all else goes on, also for those
// who come then.
func TestDrainDelay(t *testing.T) {
	config := open()
	config.DrainDelay = 5 * time.Second
	bubble(t, config, func(t *testing.T, p *pipes, stop func()) {
		ask := func(what string) (int, string) {
			c := p.dial()
			defer c.Close()
			fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: chat\r\n\r\n", what)
			return answer(t, c)
		}
		status, _ := ask("GET /readyz")
		require.Equal(t, http.StatusOK, status)
		stop()
		for said := range 4 {
			time.Sleep(time.Second)
			status, _ := ask("GET /readyz")
			require.Equal(t, http.StatusServiceUnavailable, status)
			time.AfterFunc(100*time.Millisecond, func() { ask(fmt.Sprint("POST /pub?message=", said)) })
			status, body := ask("GET /sub?since=now")
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, fmt.Sprintf(`"message":"%d"`, said), "polls wait as before")
		}
		began := time.Now()
		status, body := ask("GET /sub?since=now")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"messages":[]`)
		require.Less(t, time.Since(began), time.Second, "then the server drains")
	})
}
