package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pubsub/server/settings"

	"github.com/stretchr/testify/require"
)

// said is what a server logs.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startLogging starts a server whose log can be read.
func startLogging(t *testing.T, config settings.Settings) (*running, *said) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	log := new(said)
	return startWith(t, config, l, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: config.LogLevel}))), log
}

// raw sends bytes on a connection of its own and returns what comes back until
// the server closes it.
func (s *running) raw(t *testing.T, request string) string {
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(b)
}

func TestProxyThatIsNotTrustedIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	s, log := startLogging(t, open())
	for range 3 {
		s.do(t, "GET", "/debug", "", "X-Forwarded-For: 192.0.2.1")
	}
	require.Equal(t, 1, strings.Count(log.String(), "X-Forwarded-For is not believed"))

	config := open()
	config.TrustedHops = 1
	s, log = startLogging(t, config)
	s.do(t, "GET", "/debug", "", "X-Forwarded-For: 192.0.2.1")
	require.NotContains(t, log.String(), "X-Forwarded-For is not believed")
}

func TestChannelsAreNotListedWhereSetSo(t *testing.T) {
	t.Parallel()
	config := open()
	config.ListChannels = false
	s := start(t, config)
	resp, body := s.do(t, "GET", "/channels", "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Contains(t, body, "PUBSUB_LIST_CHANNELS")
}

// A page elsewhere may turn its name to this server's address.
func TestOtherHostsAreRefused(t *testing.T) {
	t.Parallel()
	config := open()
	config.AllowedHosts = []string{"Chat.example.org", "[::1]", "127.0.0.1:81"}
	s := start(t, config)
	for host, want := range map[string]int{
		"chat.example.org": 200, "CHAT.example.ORG:8080": 200, "[::1]:8080": 200, "[::1]": 200, "127.0.0.1:81": 200,
		"127.0.0.1": 403, "127.0.0.1:82": 403, "evil.example": 403, "chat.example.org.evil.example": 403, "": 403,
	} {
		got := s.raw(t, fmt.Sprintf("GET /debug HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host))
		require.Contains(t, got, fmt.Sprint("HTTP/1.1 ", want), host)
		if want == 403 {
			require.Contains(t, got, "asked for as "+host)
			require.Contains(t, got, "PUBSUB_ALLOWED_HOSTS")
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		require.Contains(t, s.raw(t, "GET "+path+" HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: close\r\n\r\n"), "200 OK")
	}
}

func TestAbsoluteFormWithoutAPathIsTheRoot(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	require.Contains(t, s.raw(t, "GET http://chat.example.org HTTP/1.1\r\nHost: chat.example.org\r\nConnection: close\r\n\r\n"), "<title>chat</title>")
}

func TestProbesMayAskForTheHeadAlone(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		resp, body := s.do(t, "HEAD", path, "")
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		require.Empty(t, body)
	}
}
