package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

func TestListensOnASocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "a.sock")
	start := func() *pubsubtest.Server {
		p := pubsubtest.Start(t, "PUBSUB_ADDR=unix:"+socket)
		require.Equal(t, "The chat is at unix:"+socket, p.Line)
		page := p.Get(t, "/")
		require.Equal(t, http.StatusOK, page.Status)
		require.Contains(t, page.Body, `id="conversation"`)
		return p
	}
	killed := start()
	require.ErrorContains(t, run(t.Context(), []string{"-addr=unix:" + socket}, nil, io.Discard, io.Discard), "another process listens on")
	require.Error(t, killed.Stop(os.Kill))
	require.FileExists(t, socket)

	p := start() // in the place of the one that was killed
	require.NoError(t, p.Stop(syscall.SIGTERM))
	require.NoFileExists(t, socket)
	require.Contains(t, p.Log(), "count as one address")

	require.NoError(t, os.WriteFile(socket, []byte("precious"), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-addr=unix:" + socket}, nil, io.Discard, io.Discard), "is no socket")
	kept, err := os.ReadFile(socket)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
}

// A terminal that closes stops the server as SIGTERM does, unless it was started
// to survive that.
func TestHangUpOfTheTerminal(t *testing.T) {
	t.Parallel()
	// Whoever runs the tests may survive a hang-up, and what they start with them.
	p := pubsubtest.Command{Shell: "exec env --default-signal=HUP pubsub"}.Start(t)
	require.NoError(t, p.Stop(syscall.SIGHUP))
	require.Contains(t, p.Log(), "draining")

	survivor := pubsubtest.Command{Shell: "exec nohup pubsub"}.Start(t)
	require.NoError(t, survivor.Signal(syscall.SIGHUP))
	require.NoError(t, survivor.Stop(syscall.SIGTERM)) // by SIGHUP the exit would not be 0
}

// What is probably not meant is told, and nothing is refused for it.
func TestWarningsAtTheStart(t *testing.T) {
	p := pubsubtest.Command{
		Shell:    "ulimit -n 1000; exec pubsub",
		Settings: []string{"PUBSUB_POLL_TIMOUT=5s", "PUBSUB_MAX_POLLS=5000"},
	}.Start(t)
	require.NoError(t, p.Stop(syscall.SIGTERM))
	require.Contains(t, p.Log(), "perhaps PUBSUB_POLL_TIMEOUT is meant")
	require.Contains(t, p.Log(), "max-polls is 5000, but this process may open 1000 files")
}
