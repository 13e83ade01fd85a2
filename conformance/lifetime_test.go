package conformance_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A long-silent /sub sends its header and then newlines, so that no router on the way gives it up.
func TestHeartbeat(t *testing.T) {
	if !ours(t, "it is silent until there is a message") || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HEARTBEAT=50ms")
	c := s.poll(t, "/sub")
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	resp, err := http.ReadResponse(c.r, &http.Request{Method: "GET"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "application/json", answer{header: resp.Header}.mediaType())

	text := bufio.NewReader(resp.Body)
	for range 3 {
		beat, err := text.ReadByte()
		require.NoError(t, err)
		require.Equal(t, byte('\n'), beat)
	}
	s.post(t, "/pub", form("message", "at last"))
	var got map[string]any
	rest, err := io.ReadAll(text)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(rest, &got), "%q", rest)
	assert.Equal(t, "at last", got["message"])

	s.post(t, "/pub", form("message", "between"))
	assert.Equal(t, "between", c.do(t, "GET", "/sub").object(t)["message"], "the connection goes on")
}

func TestHeartbeatNoticesHangUps(t *testing.T) {
	if !ours(t, "it is silent until there is a message") || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HEARTBEAT=50ms")
	c := s.poll(t, "/sub")
	_, err := c.r.ReadString('\n') // the header is out
	require.NoError(t, err)
	s.awaitPolling(t, 1)
	c.Close()
	s.awaitPolling(t, 0)
}

func TestShutdownAnswersWhoeverWaits(t *testing.T) {
	if !ours(t, "it drops its connections") || !ownServers(t) {
		return
	}
	t.Parallel()
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p, err := start()
			require.NoError(t, err)
			plain, cursor := p.poll(t, "/sub"), p.poll(t, "/sub/c?since=now")
			p.awaitPolling(t, 2)

			stopped := make(chan error, 1)
			go func() { stopped <- p.stop(sig) }()
			a := plain.receive(t, "GET")
			a.requireRefused(t, http.StatusServiceUnavailable)
			assert.Regexp(t, `^\d+$`, a.header.Get("Retry-After"))
			b := cursor.receive(t, "GET")
			assert.Empty(t, b.batch(t).Messages)
			assert.True(t, b.last, "the next poll must find another server")
			require.NoError(t, <-stopped)
		})
	}
}

func TestShutdownWhileNobodyWaits(t *testing.T) {
	if !ours(t, "it has no end of its own") || !ownServers(t) {
		return
	}
	t.Parallel()
	p, err := start()
	require.NoError(t, err)
	idle := p.dial(t)
	idle.do(t, "GET", "/debug")
	began := time.Now()
	require.NoError(t, p.stop(syscall.SIGTERM))
	assert.Less(t, time.Since(began), 2*time.Second, "an idle connection does not hold up the end")
}
