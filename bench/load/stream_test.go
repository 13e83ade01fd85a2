package load_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
)

// opened starts a server whose connections begin with head, and clients whose
// streams it has. Each client's connection is in conns.
func opened(t *testing.T, name, head string, n, deafEvery int) (clients *load.Clients, conns chan net.Conn) {
	t.Helper()
	conns = make(chan net.Conn, n)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			io.WriteString(conn, head)
			conns <- conn
		}
	}))
	t.Cleanup(server.Close)
	d, err := dialect.Named(name)
	require.NoError(t, err)
	clients, err = load.Connect(&load.Config{
		Addr: netip.MustParseAddrPort(server.Listener.Addr().String()), Host: "host", Dialect: d, Channel: "room",
		Nonce: "run", Base: time.Now(), Messages: 3, Publishers: 1, Loops: 1, DeafEvery: deafEvery,
	}, n)
	require.NoError(t, err)
	t.Cleanup(clients.Hangup)
	return clients, conns
}

const (
	sseHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	wsHead  = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
)

// trickle writes byte for byte.
func trickle(t *testing.T, conn net.Conn, s string) {
	for i := range s {
		_, err := io.WriteString(conn, s[i:i+1])
		require.NoError(t, err)
	}
}

func TestLinesInPieces(t *testing.T) {
	clients, conns := opened(t, "sse", sseHead, 1, 0)
	conn := <-conns
	defer conn.Close()
	trickle(t, conn, fmt.Sprintf("id: 1\ndata: %s\n\n:\n\ndata: %s\n\n", text(0), text(2)))
	require.True(t, clients.Await(2, patience, patience))
	clients.Hangup()
	require.Equal(t, 1, clients.Outcome(everything).Lost)
}

func everything(int) bool { return true }

// frame is a server's frame.
func frame(op byte, payload string) string {
	if len(payload) < 126 {
		return string([]byte{0x80 | op, byte(len(payload))}) + payload
	}
	return string([]byte{0x80 | op, 126, byte(len(payload) >> 8), byte(len(payload))}) + payload
}

func TestFramesInPieces(t *testing.T) {
	clients, conns := opened(t, "ws", wsHead, 1, 0)
	conn := <-conns
	defer conn.Close()
	long := text(1) + fmt.Sprintf("%300s", "")
	trickle(t, conn, frame(1, text(0))+frame(9, "hey")+frame(1, long)+frame(1, text(2)))
	pong := make([]byte, 9)
	_, err := io.ReadFull(bufio.NewReader(conn), pong)
	require.NoError(t, err)
	require.Equal(t, "\x8a\x83\x00\x00\x00\x00hey", string(pong))
	require.True(t, clients.Await(3, patience, patience))
	clients.Hangup()
	require.Zero(t, clients.Outcome(everything).Lost)
}

func TestWhatHappensToStreamsIsTold(t *testing.T) {
	clients, conns := opened(t, "ws", wsHead, 1, 0)
	require.True(t, clients.AwaitOpen(1, patience, patience))
	conn := <-conns
	defer conn.Close()
	io.WriteString(conn, frame(8, "\x03\xe9draining"))
	require.True(t, clients.AwaitOpen(2, patience, patience), "it comes back")
	again := <-conns
	defer again.Close()
	require.Contains(t, clients.Problem(), "draining")

	refused, _ := opened(t, "sse", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", 1, 0)
	require.Eventually(t, func() bool { return refused.Problem() != "" }, patience, time.Millisecond)
	require.Contains(t, refused.Problem(), "429")
}

func TestNothingIsExpectedOfTheDeaf(t *testing.T) {
	clients, conns := opened(t, "sse", sseHead, 4, 2)
	require.True(t, clients.AwaitOpen(2, patience, patience))
	for range 4 {
		conn := <-conns
		defer conn.Close()
		fmt.Fprintf(conn, "data: %s\n\n", text(0)+text(1)+text(2))
	}
	require.True(t, clients.Await(6, patience, patience))
	clients.Hangup()
	out := clients.Outcome(everything)
	require.Equal(t, []int{6, 0}, []int{out.Got, out.Lost})
}

func TestShortPollsTakeTheirTime(t *testing.T) {
	polls := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		polls <- struct{}{}
		fmt.Fprint(w, `{"messages":[],"cursor":"a-1"}`)
	}))
	t.Cleanup(server.Close)
	short, err := dialect.Named("short")
	require.NoError(t, err)
	const every = 20 * time.Millisecond
	began := time.Now()
	clients, err := load.Connect(&load.Config{
		Addr: netip.MustParseAddrPort(server.Listener.Addr().String()), Host: "host", Dialect: short, Channel: "room",
		Nonce: "run", Base: time.Now(), Messages: 1, Publishers: 1, Loops: 1, Every: every,
	}, 2)
	require.NoError(t, err)
	for range 20 {
		<-polls
	}
	require.GreaterOrEqual(t, time.Since(began), 9*every, "20 polls of two clients")
	traffic := clients.Traffic()
	require.GreaterOrEqual(t, traffic.Requests, int64(20))
	require.Greater(t, traffic.Sent, 50*traffic.Requests)
	require.Positive(t, traffic.Received)
	clients.Hangup()
}
