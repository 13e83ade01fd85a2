package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// getOver asks for a path over a Unix socket.
func getOver(t *testing.T, socket, path string) (int, string) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://chat" + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestListensOnASocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "a.sock")
	start := func() *process {
		stderr := new(bytes.Buffer)
		p, line := launch(t, "exec pubsub", stderr, "PUBSUB_ADDR=unix:"+socket)
		p.stderr = stderr
		require.Equal(t, "The chat is at unix:"+socket+"\n", line)
		status, body := getOver(t, socket, "/")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `id="conversation"`)
		return p
	}
	killed := start()
	require.ErrorContains(t, run(t.Context(), []string{"-addr=unix:" + socket}, nil, io.Discard, io.Discard), "another process listens on")
	require.NotZero(t, killed.stop(os.Kill))
	require.FileExists(t, socket)

	p := start() // in the place of the one that was killed
	require.Zero(t, p.stop(syscall.SIGTERM), "%s", p.stderr)
	require.NoFileExists(t, socket)
	require.Contains(t, p.stderr.String(), "count as one address")

	require.NoError(t, os.WriteFile(socket, []byte("precious"), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-addr=unix:" + socket}, nil, io.Discard, io.Discard), "is no socket")
	kept, err := os.ReadFile(socket)
	require.NoError(t, err)
	require.Equal(t, "precious", string(kept))
}

// A terminal that closes stops the server as SIGTERM does, unless it was started
// to survive that.
func TestHangUpOfTheTerminal(t *testing.T) {
	p := startWeb(t)
	require.Zero(t, p.stop(syscall.SIGHUP))
	require.Contains(t, p.stderr.String(), "draining")

	survivor, _ := launch(t, "exec nohup pubsub", io.Discard, "PUBSUB_ADDR=127.0.0.1:0")
	require.NoError(t, survivor.cmd.Process.Signal(syscall.SIGHUP))
	require.Zero(t, survivor.stop(syscall.SIGTERM)) // by SIGHUP the exit would not be 0
}

// What is probably not meant is told, and nothing is refused for it.
func TestWarningsAtTheStart(t *testing.T) {
	stderr := new(bytes.Buffer)
	p, _ := launch(t, "ulimit -n 1000; exec pubsub", stderr, "PUBSUB_ADDR=127.0.0.1:0", "PUBSUB_POLL_TIMOUT=5s", "PUBSUB_MAX_POLLS=5000")
	require.Zero(t, p.stop(syscall.SIGTERM))
	require.Contains(t, stderr.String(), "perhaps PUBSUB_POLL_TIMEOUT is meant")
	require.Contains(t, stderr.String(), "max-polls is 5000, but this process may open 1000 files")
}
