package server_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// crowdOf has n connections ask for a path, and returns when the server has seen all.
func (p *pipes) crowdOf(t *testing.T, n int, path string) (all []net.Conn) {
	for range n {
		c := p.dial()
		_, err := io.WriteString(c, request(path))
		require.NoError(t, err)
		all = append(all, c)
	}
	synctest.Wait()
	return all
}

func hangUpAll(all []net.Conn) {
	for _, c := range all {
		c.Close()
	}
	synctest.Wait()
}

// Who asks more often than an address may and hangs up leaves no debt to others of it.
func TestWhoHangsUpOwesNothing(t *testing.T) {
	config := open()
	config.RequestRate = 50
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		for range 20 {
			hangUpAll(p.crowdOf(t, 100, "/debug"))
		}
		began, honest := time.Now(), p.dial()
		defer honest.Close()
		_, err := io.WriteString(honest, request("/debug"))
		require.NoError(t, err)
		status, _ := answer(t, honest)
		require.Equal(t, 200, status)
		require.LessOrEqual(t, time.Since(began), time.Second/50)
	})
}

// Nobody waits for more than a second because of others: who would is told when to come
// again. Health checks do not wait at all, and metrics and log tell of it.
func TestWaitsForTheRequestRateAreShort(t *testing.T) {
	config := open()
	config.RequestRate = 50
	log := new(said)
	bubbleLogging(t, config, slog.New(slog.NewTextHandler(log, nil)), func(t *testing.T, p *pipes, _ func()) {
		began := time.Now()
		all := p.crowdOf(t, 200, "/debug")
		defer hangUpAll(all)
		probe := p.dial()
		defer probe.Close()
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			_, err := io.WriteString(probe, request(path))
			require.NoError(t, err)
			status, body := answer(t, probe)
			require.Equal(t, 200, status)
			if path == "/metrics" {
				require.Contains(t, body, "pubsub_requests_delayed_total 50\n")
				require.Contains(t, body, `pubsub_requests_refused_total{reason="request-rate"} 145`)
			}
		}
		require.Zero(t, time.Since(began))
		var refused int
		for _, c := range all {
			resp, body := answerOf(t, c)
			if resp.StatusCode != 200 {
				requireRefused(t, resp, body, 429, "more than 50 requests a second")
				refused++
			}
		}
		require.Equal(t, 145, refused, "all but a burst of 5, and those of a second")
		require.LessOrEqual(t, time.Since(began), time.Second)
		require.Equal(t, 1, strings.Count(log.String(), "requests are delayed"))
		require.Equal(t, 10, strings.Count(log.String(), "reason=request-rate"))
	})
}

// Who looks whether the server is well without a pause waits as others do.
func TestProbesHaveARateToo(t *testing.T) {
	config := open()
	config.RequestRate = 50
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		all := p.crowdOf(t, 500, "/healthz")
		defer hangUpAll(all)
		var refused int
		for _, c := range all {
			if status, _ := answer(t, c); status == 429 {
				refused++
			}
		}
		require.Equal(t, 500-50-5-50, refused)
	})
}

// Each frame of a WebSocket counts as a request, also one that is a part of a text.
func TestPartsOfATextArePaced(t *testing.T) {
	config := open()
	config.RequestRate = 500
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		c := p.dial()
		defer c.Close()
		go io.Copy(io.Discard, c)
		_, err := io.WriteString(c, upgrade("/sub/c"))
		require.NoError(t, err)
		began := time.Now()
		_, err = io.WriteString(c, "\x01\x800000"+strings.Repeat("\x00\x800000", 3000)) // 4 KB are read at a time
		require.NoError(t, err)
		require.Greater(t, time.Since(began), 4*time.Second)
	})
}

// A long text counts as several.
func TestLongTextsArePaced(t *testing.T) {
	config := open()
	config.RequestRate = 500
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		c := p.dial()
		defer c.Close()
		go io.Copy(io.Discard, c)
		_, err := io.WriteString(c, upgrade("/sub/c"))
		require.NoError(t, err)
		began := time.Now()
		text := strings.Repeat("x", 65_000) // in a frame that is not masked by anything
		for range 50 {
			_, err = io.WriteString(c, "\x81\xfe\xfd\xe8\x00\x00\x00\x00"+text)
			require.NoError(t, err)
		}
		require.Greater(t, time.Since(began), 4*time.Second)
	})
}

// All clients of an address are pinged at the same time: their answers count for nothing.
func TestAnswersToPingsAreFree(t *testing.T) {
	config := open()
	config.RequestRate, config.Heartbeat = 1, 15*time.Second
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		var gone atomic.Int32
		for range 20 {
			c := p.dial()
			defer c.Close()
			_, err := io.WriteString(c, upgrade("/sub/c"))
			require.NoError(t, err)
			go func() {
				stream := &streamed{Conn: c, r: bufio.NewReader(c)}
				_, err := http.ReadResponse(stream.r, nil)
				for things := []thing(nil); err == nil && (len(things) == 0 || things[0].end == ""); {
					things, err = stream.readFrame() // which answers pings
				}
				gone.Add(1)
			}()
			time.Sleep(2 * time.Second) // of the bubble
		}
		time.Sleep(5 * time.Minute)
		require.Zero(t, gone.Load())
	})
}
