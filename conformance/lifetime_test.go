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

	"pubsub/internal/pubsubtest"
)

// A long-silent /sub sends its header and then newlines, so that no router on the way gives it up.
func TestHeartbeat(t *testing.T) {
	if !ours(t, "it is silent until there is a message") || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HEARTBEAT=50ms")
	c := s.Poll(t, "/sub")
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	resp, err := http.ReadResponse(c.Reader(), &http.Request{Method: "GET"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "application/json", answer{Header: resp.Header}.MediaType())
	require.Equal(t, "no-store, no-transform", resp.Header.Get("Cache-Control"))

	text := bufio.NewReader(resp.Body)
	for range 3 {
		beat, err := text.ReadByte()
		require.NoError(t, err)
		require.Equal(t, byte('\n'), beat)
	}
	s.Post(t, "/pub", form("message", "at last"))
	var got map[string]any
	rest, err := io.ReadAll(text)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(rest, &got), "%q", rest)
	assert.Equal(t, "at last", got["message"])

	s.Post(t, "/pub", form("message", "between"))
	assert.Equal(t, "between", c.Do(t, "GET", "/sub").Object(t)["message"], "the connection goes on")
}

func TestHeartbeatNoticesHangUps(t *testing.T) {
	if !ours(t, "it is silent until there is a message") || !ownServers(t) {
		return
	}
	t.Parallel()
	s := startServer(t, "PUBSUB_HEARTBEAT=50ms")
	c := s.Poll(t, "/sub")
	_, err := c.Reader().ReadString('\n') // the header is out
	require.NoError(t, err)
	s.AwaitPolling(t, 1)
	c.Close()
	s.AwaitPolling(t, 0)
}

func TestShutdownAnswersWhoeverWaits(t *testing.T) {
	if !ours(t, "it drops its connections") || !ownServers(t) {
		return
	}
	t.Parallel()
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := pubsubtest.Start(t)
			plain, cursor := p.Poll(t, "/sub"), p.Poll(t, "/sub/c?since=now")
			p.AwaitPolling(t, 2)

			stopped := make(chan error, 1)
			go func() { stopped <- p.Stop(sig) }()
			a := plain.Receive(t, "GET")
			a.RequireRefused(t, http.StatusServiceUnavailable)
			assert.Regexp(t, `^\d+$`, a.Header.Get("Retry-After"))
			b := cursor.Receive(t, "GET")
			assert.Empty(t, batchOf(t, b).Messages)
			assert.True(t, b.Last, "the next poll must find another server")
			require.NoError(t, <-stopped)
		})
	}
}

func TestShutdownWhileNobodyWaits(t *testing.T) {
	if !ours(t, "it has no end of its own") || !ownServers(t) {
		return
	}
	t.Parallel()
	p := pubsubtest.Start(t)
	idle := p.Dial(t)
	idle.Do(t, "GET", "/debug")
	began := time.Now()
	require.NoError(t, p.Stop(syscall.SIGTERM))
	assert.Less(t, time.Since(began), 2*time.Second, "an idle connection does not hold up the end")
}
