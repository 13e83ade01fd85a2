//go:build unix

package server_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/conns"
	"pubsub/server/settings"
)

// dialFrom opens a connection from an address of this machine, and asks for path
// if there is one.
func (r *running) dialFrom(t *testing.T, address, path string) net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp", r.addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	if path != "" {
		_, err = io.WriteString(c, request(path))
		require.NoError(t, err)
	}
	return c
}

// turnedAway is for a connection that is answered before it asks, and closed. What a client
// has sent by then would make the system reset the connection, perhaps before it has read.
func turnedAway(t *testing.T, c net.Conn, status int, sentence string) {
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	requireRefused(t, resp, string(body), status, sentence)
	require.True(t, resp.Close, "it says that it closes")
	_, err = r.ReadByte()
	require.Error(t, err, "and it does")
}

// connections waits until so many are open, of which one is the test's own.
func (r *running) connections(t *testing.T, n int) {
	require.Eventually(t, func() bool { return r.metric(t, "pubsub_connections") == float64(n) }, 10*time.Second, 5*time.Millisecond)
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxConnectionsPerAddress = 3
	s, log := startLogging(t, config)
	first := s.dialFrom(t, "127.0.0.66", "/sub")
	s.dialFrom(t, "127.0.0.66", "")
	s.dialFrom(t, "127.0.0.66", "")
	for range 20 {
		turnedAway(t, s.dialFrom(t, "127.0.0.66", ""), 429, "3 connections are open from your address")
	}
	status, _ := answer(t, s.dialFrom(t, "127.0.0.2", "/healthz"))
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 20, s.metric(t, `pubsub_requests_refused_total{reason="connections-per-address"}`))
	require.Contains(t, log.String(), "msg=refused status=429 reason=connections-per-address address=127.0.0.66:")
	require.LessOrEqual(t, len(log.String()), 3000, "the first ten")

	s.connections(t, 5)
	first.Close()
	s.connections(t, 4)
	status, _ = answer(t, s.dialFrom(t, "127.0.0.66", "/healthz"))
	require.Equal(t, http.StatusOK, status)
	turnedAway(t, s.dialFrom(t, "127.0.0.66", ""), 429, "Close some")
}

// named is a listener whose connections come from addresses that this machine
// does not have, one after the other.
type named struct {
	*net.TCPListener
	from chan string
}

type namedConn struct {
	*net.TCPConn
	from string
}

func (c namedConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.from), Port: 1} }

func (l named) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return namedConn{c, <-l.from}, nil
}

func TestConnectionsOfOneIPv6NetworkAreBoundedTogether(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxConnectionsPerAddress = 2
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	from := named{l, make(chan string, 4)}
	s := startOn(t, config, from)
	for _, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"} {
		from.from <- address
		if address == "2001:db8::3" {
			turnedAway(t, s.dialFrom(t, "127.0.0.1", ""), 429, "2 connections")
			continue
		}
		status, _ := answer(t, s.dialFrom(t, "127.0.0.1", "/healthz"))
		require.Equal(t, http.StatusOK, status, address)
	}
}

// Where everybody comes from one peer, that is no reason to refuse anybody.
func TestConnectionsOfAProxyAreNotBounded(t *testing.T) {
	t.Parallel()
	config := open()
	config.MaxConnectionsPerAddress = 1
	s := start(t, config)
	s.dialFrom(t, "127.0.0.1", "")
	turnedAway(t, s.dialFrom(t, "127.0.0.1", ""), 429, "1 connections")

	trusting := config
	trusting.TrustedHops = 1
	onTCP, err := conns.Listen("127.0.0.1:0")
	require.NoError(t, err)
	onSocket, err := conns.Listen("unix:" + filepath.Join(t.TempDir(), "a.sock"))
	require.NoError(t, err)
	inMemory := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	dial := func(l net.Listener) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.Dial(l.Addr().Network(), l.Addr().String()) }
	}
	for name, each := range map[string]struct {
		config   settings.Settings
		listener net.Listener
		dial     func() (net.Conn, error)
	}{
		"trusted hops": {trusting, onTCP, dial(onTCP)},
		"a socket":     {config, onSocket, dial(onSocket)},
		"in memory":    {config, inMemory, func() (net.Conn, error) { return inMemory.dial(), nil }},
	} {
		startOn(t, each.config, each.listener)
		for range 3 {
			c, err := each.dial()
			require.NoError(t, err)
			defer c.Close()
			_, err = io.WriteString(c, request("/healthz"))
			require.NoError(t, err, name)
			status, _ := answer(t, c)
			require.Equal(t, http.StatusOK, status, name)
		}
	}
}

// startFull starts a server that may have so many connections open.
func startFull(t *testing.T, connections int) (*running, *said) {
	defer pubsubtest.MayOpen(t, uint64(64+connections))()
	s, log := startLogging(t, open())
	return s.byOneConnection(), log
}

// sole has one connection, and never takes another: http.Transport does if the goroutine that
// wrote a request says so later than 50 ms after the answer.
type sole struct {
	addr string

	mu sync.Mutex // guards the next two, and is held during a request
	c  net.Conn
	r  *bufio.Reader
}

// byOneConnection is for tests in which there is no room for a second one.
func (r *running) byOneConnection() *running {
	r.http = &http.Client{Transport: &sole{addr: r.addr}}
	return r
}

// RoundTrip implements [http.RoundTripper].
func (s *sole) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c == nil {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return nil, err
		}
		s.c, s.r = c, bufio.NewReader(c)
	}
	if err := r.Write(s.c); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(s.r, r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (s *sole) CloseIdleConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c != nil {
		_ = s.c.Close()
	}
}

// hungUp is for a connection that the server closed without a word.
func hungUp(t *testing.T, c net.Conn) {
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// When no descriptor is left, who has most connections makes room, and first with
// one that nobody uses.
func TestWhoHasMostConnectionsMakesRoom(t *testing.T) {
	s, log := startFull(t, 8)
	const greedy, other = "127.0.0.66", "127.0.0.67"
	poll := s.dialFrom(t, greedy, "/sub")
	var idle []net.Conn
	for range 5 {
		idle = append(idle, s.dialFrom(t, greedy, ""))
	}
	s.polling(t, 1)
	require.EqualValues(t, 7, s.metric(t, "pubsub_connections"))
	for range 3 {
		status, _ := answer(t, s.dialFrom(t, other, "/healthz"))
		require.Equal(t, http.StatusOK, status)
	}
	hungUp(t, idle[0])
	hungUp(t, idle[1])
	turnedAway(t, s.dialFrom(t, other, ""), 503, "The server has 8 connections open")
	turnedAway(t, s.dialFrom(t, greedy, ""), 503, "Come back")
	require.EqualValues(t, 8, s.metric(t, "pubsub_connections"))
	require.EqualValues(t, 4, s.metric(t, `pubsub_requests_refused_total{reason="connections"}`))
	require.Contains(t, log.String(), `msg="hung up" reason=connections address=127.0.0.66:`)
	require.Contains(t, log.String(), "msg=refused status=503 reason=connections address=127.0.0.67:")

	s.post(t, "hi")
	_, body := answer(t, poll)
	require.Contains(t, body, `"message":"hi"`)
}

// Behind a proxy a connection is that of the client who has a request on it, also once it
// is a stream.
func TestWhoHasMostConnectionsOfAProxyMakesRoom(t *testing.T) {
	giveBack := pubsubtest.MayOpen(t, 64+8)
	set := open()
	set.TrustedHops = 1
	s := start(t, set).byOneConnection()
	giveBack()
	ask := func(request string) net.Conn {
		c := s.dialFrom(t, "127.0.0.1", "")
		_, err := io.WriteString(c, request)
		require.NoError(t, err)
		return c
	}
	polls := []net.Conn{
		ask(head("GET", "/sub/room?since=now&timeout=60", "X-Forwarded-For: 203.0.113.1")),
		ask(head("GET", "/sub/room?since=now", "X-Forwarded-For: 203.0.113.1", "Accept: text/event-stream")),
	}
	waiting := func(polls float64) {
		require.Eventually(t, func() bool {
			return s.metric(t, "pubsub_polls_pending") == polls && s.metric(t, "pubsub_streams") == 1
		}, patience, time.Millisecond)
	}
	waiting(1) // so that these two are the oldest
	for range 5 {
		polls = append(polls, ask(head("GET", "/sub/room?since=now&timeout=60", "X-Forwarded-For: 203.0.113.1")))
	}
	waiting(6)
	for range 2 {
		status, body := answer(t, ask(head("POST", "/pub/other?message=hi", "X-Forwarded-For: 203.0.113.2")))
		require.Equal(t, http.StatusOK, status, body)
	}
	for _, c := range polls[:2] {
		_, err := io.ReadAll(c)
		require.NoError(t, err, "it was closed")
	}
	s.connections(t, 8)
}

func TestTheOldestOfManyPollsMakesRoom(t *testing.T) {
	s, _ := startFull(t, 4)
	polls := []net.Conn{s.dialFrom(t, "127.0.0.66", "/sub"), s.dialFrom(t, "127.0.0.66", "/sub"), s.dialFrom(t, "127.0.0.66", "/sub")}
	s.polling(t, 3)
	status, _ := answer(t, s.dialFrom(t, "127.0.0.67", "/healthz"))
	require.Equal(t, http.StatusOK, status)
	hungUp(t, polls[0])
	s.polling(t, 2)
	s.post(t, "hi")
	for _, c := range polls[1:] {
		_, body := answer(t, c)
		require.Contains(t, body, `"message":"hi"`)
	}
}
