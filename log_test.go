package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// A log that nobody reads, or that nobody can read any more, holds up no request
// and no stop.
func TestTheLogStopsNobody(t *testing.T) {
	t.Parallel()
	const requests = 1500 // their lines fill the pipe, and what the server keeps of them
	for name, readerLeaves := range map[string]bool{"a reader that does not read": false, "a reader that has left": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader, stderr, err := os.Pipe()
			require.NoError(t, err)
			defer reader.Close()
			command := web(t, "PUBSUB_LOG_LEVEL=debug")
			command.Stderr = stderr
			p := command.Start(t)
			require.NoError(t, stderr.Close())
			if readerLeaves {
				require.NoError(t, reader.Close())
			}
			client := &http.Client{Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			for range requests {
				resp, err := client.Get(p.URL.JoinPath("healthz").String())
				require.NoError(t, err)
				resp.Body.Close()
			}
			if readerLeaves {
				metrics := p.Get(t, "/metrics").Body
				require.NotContains(t, metrics, "pubsub_log_lines_dropped_total 0\n")
				require.Contains(t, metrics, "pubsub_log_lines_dropped_total ")
			}
			began := time.Now()
			require.NoError(t, p.Stop(syscall.SIGTERM))
			t.Logf("%d requests answered, and exit 0 after %v", requests, time.Since(began).Round(time.Millisecond))
		})
	}
}

// Whoever asks for nonsense as fast as they can gets few and short lines.
func TestTheLogStaysSmallUnderAttack(t *testing.T) {
	t.Parallel()
	p := startWeb(t)
	requests := pubsubtest.Size(2000, 500)
	long := "/" + strings.Repeat("x", 15_000)
	for range requests {
		require.Equal(t, http.StatusNotFound, p.Get(t, long).Status)
	}
	require.NoError(t, p.Stop(syscall.SIGTERM))
	log := p.Log()
	lines := strings.Count(log, "\n")
	t.Logf("%d requests: %d lines, %d bytes", requests, lines, len(log))
	require.Less(t, lines, 100)
	require.Less(t, len(log), 50_000)
	require.Contains(t, log, `msg="refused more, not shown one by one" reason=not-found count=`)
}
