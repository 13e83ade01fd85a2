package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stream or a plain poll over HTTP/2 that has nothing to say lives on: each heartbeat
// comes, also if there is one only every minute.
func TestSilenceOverHTTP2(t *testing.T) {
	for _, accept := range []string{"text/event-stream", "application/x-ndjson", "*/*"} {
		set, _ := withTLS(t)
		set.Heartbeat = time.Minute
		bubble(t, set, func(t *testing.T, p *pipes, _ func()) {
			dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
				c := tls.Client(p.dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
				return c, c.HandshakeContext(ctx)
			}
			transport := &http.Transport{DialTLSContext: dial, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://chat/sub/room", nil)
			require.NoError(t, err)
			r.Header.Set("Accept", accept)
			resp, err := transport.RoundTrip(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, 2, resp.ProtoMajor)
			began, lines := time.Now(), bufio.NewReader(resp.Body)
			for time.Since(began) < 5*time.Minute {
				_, err := lines.ReadString('\n')
				require.NoError(t, err, "after %v", time.Since(began))
			}
		})
	}
}
