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
	"time"

	"github.com/stretchr/testify/require"
)

// ask polls on a connection in memory, and returns what the answer says.
func ask(t *testing.T, c net.Conn, path string) (page struct {
	Cursor string
	Gap    *struct{ Reason string }
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
