package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A log that nobody reads, or that nobody can read any more, holds up no request
// and no stop.
func TestTheLogStopsNobody(t *testing.T) {
	const requests = 3000 // their lines fill the pipe
	for name, readerLeaves := range map[string]bool{"a reader that does not read": false, "a reader that has left": true} {
		t.Run(name, func(t *testing.T) {
			reader, stderr, err := os.Pipe()
			require.NoError(t, err)
			defer reader.Close()
			p := startWebTo(t, stderr, "PUBSUB_LOG_LEVEL=debug")
			require.NoError(t, stderr.Close())
			if readerLeaves {
				require.NoError(t, reader.Close())
			}
			client := &http.Client{Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			for range requests {
				resp, err := client.Get(p.url("/healthz"))
				require.NoError(t, err)
				resp.Body.Close()
			}
			if readerLeaves {
				_, metrics := p.get(p.url("/metrics"))
				require.NotContains(t, metrics, "pubsub_log_lines_dropped_total 0\n")
				require.Contains(t, metrics, "pubsub_log_lines_dropped_total ")
			}
			began := time.Now()
			kill := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
			defer kill.Stop()
			require.Zero(t, p.stop(syscall.SIGTERM))
			t.Logf("%d requests answered, and exit 0 after %v", requests, time.Since(began).Round(time.Millisecond))
		})
	}
}

// Whoever asks for nonsense as fast as they can gets few and short lines.
func TestTheLogStaysSmallUnderAttack(t *testing.T) {
	p := startWeb(t)
	const requests = 2000
	long := p.url("/" + strings.Repeat("x", 15_000))
	for range requests {
		resp, err := http.Get(long)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
	}
	require.Zero(t, p.stop(syscall.SIGTERM))
	lines := bytes.Count(p.stderr.Bytes(), []byte("\n"))
	t.Logf("%d requests: %d lines, %d bytes", requests, lines, p.stderr.Len())
	require.Less(t, lines, 100)
	require.Less(t, p.stderr.Len(), 50_000)
	require.Contains(t, p.stderr.String(), `msg="refused more, not shown one by one" reason=not-found count=`)
}
