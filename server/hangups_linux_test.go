package server_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHangUpsOfClientsThatSentAheadAreSeen(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	for _, ahead := range []string{"G", request("/debug"), strings.Repeat("x", 10_000)} {
		for _, path := range []string{"/sub", "/sub?since=now&timeout=60"} {
			reset, half := s.dial(t, path), s.dial(t, path)
			s.polling(t, 2)
			for _, c := range []net.Conn{reset, half} {
				_, err := io.WriteString(c, ahead)
				require.NoError(t, err)
			}
			reset.Close()
			s.polling(t, 1)
			require.NoError(t, half.(*net.TCPConn).CloseWrite())
			s.polling(t, 0)
			half.Close()
		}
	}
}

// counted is a connection that tells how much was read from it. It is watched as
// any other.
type counted struct {
	*net.TCPConn
	read  chan int
	close func() // closes read
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.read <- n
	return n, err
}

func (c counted) Close() error {
	c.close()
	return c.TCPConn.Close()
}

type countedListener struct {
	*net.TCPListener
	read chan int
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	return counted{c, l.read, sync.OnceFunc(func() { close(l.read) })}, err
}

// Where a hang-up is watched for, reads of one byte are special. Here one is
// needed: after the first part net/http's buffer of 4,096 bytes has room for no
// more.
func TestEveryByteOfARequestIsRead(t *testing.T) {
	t.Parallel()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	read := make(chan int, 1000)
	s := startOn(t, open(), countedListener{l, read})
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	first := "GET /debug?"
	first += strings.Repeat("x", 4095-len(first))
	for _, part := range []string{first, "y", " HTTP/1.1\r\nHost: chat\r\n\r\n"} {
		_, err := io.WriteString(c, part)
		require.NoError(t, err)
		for left := len(part); left > 0; {
			n, open := <-read
			require.True(t, open, "the server hung up")
			left -= n
		}
	}
	status, _ := answer(t, c)
	require.Equal(t, http.StatusOK, status)
}

// What waits is small, as long as net/http and the router work as they did: no
// goroutine watches for the hang-up of one poll, none reads at its SUB, and no frame of
// the router is on its stack.
func TestWaitingPollsHoldLittle(t *testing.T) {
	s := start(t, open())
	const polls = 50
	s.polling(t, 0) // all that a server has runs
	s.http.CloseIdleConnections()
	before := runtime.NumGoroutine()
	for i := range polls {
		path := []string{"/sub", "/api/poll/chat?timeout=60", "/subscribe/chat"}[i%3]
		defer s.dial(t, path).Close()
	}
	s.polling(t, polls)
	s.http.CloseIdleConnections()
	require.Eventually(t, func() bool { return runtime.NumGoroutine()-before <= 2*polls+5 }, 10*time.Second, time.Millisecond,
		"one of net/http's and one of zmq4's for each")
	stacks := make([]byte, 4<<20)
	require.Eventually(t, func() bool { // those of other tests may be about to end
		all := string(stacks[:runtime.Stack(stacks, true)])
		return strings.Count(all, "hub.(*Follower).Next(") == polls
	}, patience, time.Millisecond)
	all := string(stacks[:runtime.Stack(stacks, true)])
	for _, function := range []string{"backgroundRead", "httprouter"} {
		require.NotContains(t, all, function)
	}
}
