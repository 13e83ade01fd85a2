package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/pubsubtest"
	"pubsub/server"
	"pubsub/server/settings"
)

func TestMain(m *testing.M) {
	pubsubtest.Parallel()
	pubsubtest.ShortSize("leaving.rounds=5", "hostile.requests=800", "hostile.clients=60", "slow.clients=60",
		"crowd.clients=400", "fire.clients=40", "fire.for=1500ms", "redis.polls=100")
	goleak.VerifyTestMain(m)
}

var (
	static = fstest.MapFS{"file.txt": {Data: make([]byte, 64<<10)}}
	page   = fstest.MapFS{"index.html": {Data: []byte("<title>{{.Channel}}</title>")}}
)

// running is a server on a real socket.
type running struct {
	addr  string
	tls   *tls.Config // of its clients, nil without TLS
	http  *http.Client
	http2 bool         // of its streams, but for WebSockets
	stop  func() error // as a signal would, and waits for the end
}

// open is the default settings without the limits of one address, from which a
// test comes with all its clients.
func open() settings.Settings {
	config := settings.Default()
	config.Crowd = os.Getenv("PUBSUB_CROWD") != "off" // for a run of all tests in the other way
	config.RequestRate = 0
	config.MaxPollsPerAddress, config.MaxConnectionsPerAddress, config.PublishRate = 0, 0, 0
	return config
}

func start(t *testing.T, config settings.Settings) *running {
	t.Helper()
	return startOn(t, config, listen(t))
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func startOn(t *testing.T, config settings.Settings, l net.Listener) *running {
	t.Helper()
	return startWith(t, config, l, slog.New(slog.DiscardHandler))
}

func startWith(t *testing.T, config settings.Settings, l net.Listener, log *slog.Logger) *running {
	t.Helper()
	s, err := server.New(config, static, page, log)
	require.NoError(t, err)
	return serveOn(t, s, l)
}

// startLarge starts a server that has a file /large, which is more than all buffers on
// the way hold.
func startLarge(t *testing.T, config settings.Settings, l net.Listener) *running {
	t.Helper()
	large := fstest.MapFS{"large": {Data: make([]byte, 16<<20)}} // each start reads it: some 0.3 s
	s, err := server.New(config, large, page, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return serveOn(t, s, l)
}

func serveOn(t *testing.T, s *server.Server, l net.Listener) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, nil) }()
	r := &running{addr: l.Addr().String(), http: &http.Client{Transport: new(http.Transport)}}
	r.stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-served, s.Close())
	})
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		require.NoError(t, r.stop())
	})
	return r
}

func (r *running) url(path string) string {
	if r.tls != nil {
		return "https://" + r.addr + path
	}
	return "http://" + r.addr + path
}

// get returns an answer's body; any status but 200 fails the test.
func (r *running) get(t require.TestingT, path string) string {
	resp, err := r.http.Get(r.url(path))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	return string(body)
}

func (r *running) post(t require.TestingT, message string) (id uint64) {
	resp, err := r.http.PostForm(r.url("/pub"), url.Values{"nick": {"ann"}, "message": {message}})
	require.NoError(t, err)
	defer resp.Body.Close()
	var answer struct{ ID uint64 }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return answer.ID
}

// polling waits until so many polls are pending.
func (r *running) polling(t require.TestingT, n int) {
	want := fmt.Sprintf("polling = %d\n", n)
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := r.get(t, "/debug")
		if strings.HasPrefix(got, want) {
			return
		}
		require.True(t, time.Now().Before(deadline), "%q did not become %q", got, want)
		runtime.Gosched()
	}
}

func request(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: chat\r\n\r\n" }

// dial opens a connection and asks for path.
func (r *running) dial(t require.TestingT, path string) net.Conn {
	c, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).SetLinger(0)) // a hang-up leaves no port behind
	_, err = io.WriteString(c, request(path))
	require.NoError(t, err)
	return c
}

// dialSecurely is dial for a server with TLS.
func (r *running) dialSecurely(t require.TestingT, path string) net.Conn {
	c, err := tls.Dial("tcp", r.addr, r.tls)
	require.NoError(t, err)
	_, err = io.WriteString(c, request(path))
	require.NoError(t, err)
	return c
}

// answer reads what comes on a connection.
func answer(t require.TestingT, c net.Conn) (status int, body string) {
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

var leavingRounds = flag.Int("leaving.rounds", 20, "how often 250 polls hang up, and 250 are served")

// Whoever leaves takes everything along: no goroutine, socket or byte stays of
// polls that hung up, or of those that were answered.
func TestNothingStaysOfThoseWhoLeft(t *testing.T) {
	const each = 250
	rounds := *leavingRounds
	s := start(t, open())
	wave := func(end func(net.Conn)) {
		conns := make([]net.Conn, each)
		for i := range conns {
			conns[i] = s.dial(t, "/sub")
		}
		s.polling(t, each)
		for _, c := range conns {
			end(c)
			c.Close()
		}
		s.polling(t, 0)
	}
	hangUp := func(c net.Conn) { c.Close() }
	served := func(c net.Conn) {
		status, body := answer(t, c)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"message":"hi"`)
	}
	goroutines, bytes := runtime.NumGoroutine(), heap()
	for range rounds {
		wave(hangUp)
	}
	for range rounds {
		conns := make([]net.Conn, each)
		for i := range conns {
			conns[i] = s.dial(t, "/sub")
		}
		s.polling(t, each)
		s.post(t, "hi")
		for _, c := range conns {
			served(c)
			c.Close()
		}
	}
	s.polling(t, 0)
	s.http.CloseIdleConnections()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+10 }, 30*time.Second, 100*time.Millisecond)
	grown := heap() - bytes
	t.Logf("%d hung up, %d served: %+d goroutines, %+d KiB", rounds*each, rounds*each, runtime.NumGoroutine()-goroutines, grown>>10)
	require.Less(t, grown, int64(4<<20))
}

// Where net/http cuts a long answer into writes, a message may stand that looks
// like the beginning of one of its own.
func TestMessagesThatLookLikeAnAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	const text = "HTTP/1.1 501 "
	for shift := range len(text) {
		said := strings.Repeat(".", shift) + strings.Repeat(text, 600)
		s.post(t, said)
		for _, path := range []string{"/sub?since=-1&timeout=0", "/chat"} {
			require.Contains(t, s.get(t, path), said, path)
		}
	}
}

// A client that sends no more than its request cannot be told from one that hung
// up; it gets no answer that looks like one.
func TestHalfClosedConnectionsGetNoEmptyAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	for _, path := range []string{"/sub", "/sub?since=now", "/chat"} {
		c := s.dial(t, path)
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Empty(t, string(b), path)
		c.Close()
	}
	s.polling(t, 0)
}

// Of a client behind a proxy its place is remembered, and nothing else of what it
// sent.
func TestPlacesAreSmall(t *testing.T) {
	s := start(t, open())
	const clients, junk = 200, 15_000
	wave := func(number, junk int) int64 {
		var conns []net.Conn
		for i := range clients {
			c, err := net.Dial("tcp", s.addr)
			require.NoError(t, err)
			fmt.Fprintf(c, "GET /sub/room?x=%s HTTP/1.1\r\nHost: chat\r\nX-Forwarded-For: %d-%d\r\n\r\n", strings.Repeat("x", junk), number, i)
			conns = append(conns, c)
		}
		s.polling(t, clients)
		s.do(t, "POST", "/pub/room?message=hi", "")
		for _, c := range conns {
			status, _ := answer(t, c)
			require.Equal(t, http.StatusOK, status)
			c.Close()
		}
		return heap()
	}
	wave(0, junk) // everything has its size
	before := wave(1, junk)
	wave(2, junk)
	require.Eventually(t, func() bool { return (heap()-before)/clients < junk/4 }, 10*time.Second, 10*time.Millisecond,
		"once the server has seen them leave")
}

// newServer is a server that does not listen.
func newServer(t *testing.T, set settings.Settings) (*server.Server, error) {
	s, err := server.New(set, static, page, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(func() { require.NoError(t, s.Close()) })
	}
	return s, err
}
