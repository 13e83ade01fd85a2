package conns_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/conns"
	"pubsub/server/settings"
	"pubsub/server/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// refusals shows none in the log.
type refusals struct{}

func (refusals) Count(string, slog.Level) bool { return false }
func (refusals) CountPanic()                   {}

// serving is a server whose connections are ours.
type serving struct {
	addr  string
	conns *conns.Conns
}

// serve serves a handler, with TLS if there is a config for it.
func serve(t *testing.T, handler http.Handler, config *tls.Config) serving {
	set := settings.Default()
	responder := &web.Responder{Log: slog.New(slog.DiscardHandler), Refusals: refusals{}, Draining: func() bool { return false }}
	all := conns.New(&set, responder, func() {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	ours := all.Prepare(server, l)
	if config != nil {
		ours = tls.NewListener(ours, config)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ours) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		require.Eventually(t, func() bool { return all.Open() == 0 }, 10*time.Second, time.Millisecond)
		require.NoError(t, all.Close())
	})
	return serving{l.Addr().String(), all}
}

// waits tells when a request waits, and when its context has ended.
type waits struct{ began, ended chan struct{} }

func (h waits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conns.MarkHandled(r)
	h.began <- struct{}{}
	<-r.Context().Done()
	h.ended <- struct{}{}
}

// certificate is one that httptest made.
func certificate(t *testing.T) (server, client *tls.Config) {
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	return s.TLS.Clone(), s.Client().Transport.(*http.Transport).TLSClientConfig
}

// Under TLS net/http is given connections that are not ours, and ours lie below.
func TestHangUpsAreSeenUnderTLS(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			serverTLS, clientTLS := certificate(t)
			serverTLS.NextProtos = []string{protocol}
			h := waits{make(chan struct{}), make(chan struct{})}
			s := serve(t, h, serverTLS)
			dialed := make(chan net.Conn, 2) // it may try again
			client := &http.Client{Transport: &http.Transport{
				TLSClientConfig: clientTLS, ForceAttemptHTTP2: protocol == "h2",
				DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := new(net.Dialer).DialContext(ctx, network, addr)
					if err == nil {
						dialed <- c
					}
					return c, err
				},
			}}
			failed := make(chan error, 1)
			go func() {
				resp, err := client.Get("https://" + s.addr)
				if err == nil {
					resp.Body.Close()
				}
				failed <- err
			}()
			<-h.began
			require.Equal(t, 1, s.conns.Open())
			s.conns.CloseUnused() // it has asked
			(<-dialed).Close()
			<-h.ended
			require.Error(t, <-failed)
		})
	}
}

// A client that speaks plain HTTP to TLS is told so, as JSON.
func TestPlainRequestUnderTLS(t *testing.T) {
	serverTLS, _ := certificate(t)
	s := serve(t, http.NotFoundHandler(), serverTLS)
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: chat\r\n\r\n")
	require.NoError(t, err)
	said, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Contains(t, string(said), `{"error":"This port speaks HTTPS`)
}

// Whoever takes a connection over may read byte by byte, and knows when it ends.
func TestTakenOverConnections(t *testing.T) {
	const said = "hello, byte by byte"
	got := make(chan string, 1)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		var all strings.Builder
		for b := make([]byte, 1); ; {
			n, err := c.Read(b)
			if err != nil || n == 0 {
				break
			}
			all.Write(b[:n])
		}
		got <- all.String()
	}), nil)
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: chat\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	_, err = io.WriteString(c, said)
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	require.Equal(t, said, <-got)
}

// All requests of a connection have its number, and no others have.
func TestIDsOfConnections(t *testing.T) {
	ids := make(chan uint64, 1)
	s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ids <- conns.ID(r) }), nil)
	seen := map[uint64]int{}
	for range 2 {
		client := &http.Client{Transport: new(http.Transport)}
		for range 3 {
			resp, err := client.Get("http://" + s.addr)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			seen[<-ids]++
		}
		client.CloseIdleConnections()
	}
	require.Len(t, seen, 2)
	for id, requests := range seen {
		require.NotZero(t, id)
		require.Equal(t, 3, requests)
	}
	require.Zero(t, conns.ID(httptest.NewRequest(http.MethodGet, "/", nil)), "not from our listener")
}

// A handler that took a connection over has deadlines of its own.
func TestTakenOverConnectionsHaveTheirOwnDeadlines(t *testing.T) {
	took := make(chan time.Duration, 1)
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		began := time.Now()
		for err == nil {
			_, err = c.Write(make([]byte, 1<<20)) // nobody reads it
		}
		took <- time.Since(began)
	}), nil)
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: chat\r\n\r\n")
	require.NoError(t, err)
	require.Less(t, <-took, 10*time.Second)
}
