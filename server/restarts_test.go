package server_test

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// ask polls on a connection in memory, and returns what the answer says.
func ask(t *testing.T, c net.Conn, path string) (page struct {
	Messages []struct{ ID int }
	Cursor   string
	Gap      *struct{ Reason string }
}) {
	_, err := io.WriteString(c, request(path))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&page))
	return page
}

// Two processes that answer one client in turn would tell it of a restart each time,
// and it would ask again at once.
func TestRestartsToldOnAndOnAreSlowedDown(t *testing.T) {
	for _, query := range []string{"&timeout=0", ""} {
		log := new(said)
		bubbleLogging(t, open(), slog.New(slog.NewTextHandler(log, nil)), func(t *testing.T, p *pipes, _ func()) {
			client := p.dial()
			defer client.Close()
			tell := func() {
				asked := time.Now()
				require.Equal(t, "restarted", ask(t, client, "/sub?since=another-5"+query).Gap.Reason)
				require.LessOrEqual(t, time.Since(asked), 2*time.Second)
			}
			began := time.Now()
			for range 10 {
				tell()
			}
			require.Less(t, time.Since(began), 100*time.Millisecond)
			const minutes = 10
			told, most := 0, 2*60*minutes
			for began = time.Now(); time.Since(began) < minutes*time.Minute && told <= most; told++ {
				tell()
			}
			require.LessOrEqual(t, told, most)
			require.GreaterOrEqual(t, told, 60*minutes/2, "it is slowed down, not shut out")
			require.InDelta(t, minutes, strings.Count(log.String(), "cursors of another process"), 1)
		})
	}
}

// Who is slowed down is given what is there when the wait is over: the page is read then, as
// who waits holds none.
func TestWhoIsSlowedDownGetsWhatIsThereThen(t *testing.T) {
	for _, query := range []string{"&timeout=0", ""} {
		bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
			client, other := p.dial(), p.dial()
			defer client.Close()
			defer other.Close()
			said := 0
			say := func() {
				said++
				_, err := io.WriteString(other, "POST /pub?message=hi HTTP/1.1\r\nHost: pubsub\r\nContent-Length: 0\r\n\r\n")
				require.NoError(t, err)
				resp, err := http.ReadResponse(bufio.NewReader(other), nil)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, http.StatusOK, resp.StatusCode)
			}
			say()
			for waited := false; !waited; {
				asked := time.Now()
				post := time.AfterFunc(500*time.Millisecond, say)
				page := ask(t, client, "/sub?since=another-5"+query)
				post.Stop()
				waited = time.Since(asked) >= time.Second
				require.Equal(t, "restarted", page.Gap.Reason)
				require.Len(t, page.Messages, said)
				require.Nil(t, ask(t, client, "/sub?timeout=0&since="+page.Cursor).Gap)
			}
			require.Equal(t, 2, said)
		})
	}
}

// After a restart each client is told once, and that at once.
func TestRestartsToldOnceAreNotSlowedDown(t *testing.T) {
	log := new(said)
	bubbleLogging(t, open(), slog.New(slog.NewTextHandler(log, nil)), func(t *testing.T, p *pipes, _ func()) {
		began := time.Now()
		for range 10 {
			client := p.dial()
			page := ask(t, client, "/sub?since=another-5")
			require.Equal(t, "restarted", page.Gap.Reason)
			for range 5 {
				require.Nil(t, ask(t, client, "/sub?timeout=0&since="+page.Cursor).Gap)
			}
			client.Close()
		}
		require.Zero(t, time.Since(began))
		require.NotContains(t, log.String(), "another process")
	})
}

// Who hangs up while it is slowed down leaves nothing behind, as a poll or as a stream.
func TestWhoHangsUpWhileSlowedDownLeavesNothing(t *testing.T) {
	for _, accept := range []string{"*/*", sse} {
		bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
			var all []net.Conn
			for range 40 { // more than are told at once
				all = append(all, p.open("/sub/room?since=another-5&presence=ann", accept))
			}
			hangUpAll(all)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, "polling = 0\nchannels = 0\nstreams = 0\n", p.get(t, "/debug"))
			require.Contains(t, p.get(t, "/metrics"), "\npubsub_polls_pending 0\n")
			require.Empty(t, here(t, func(path string) string { return p.get(t, path) }).Names)
		})
	}
}
