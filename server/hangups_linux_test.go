package server_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHangUpsOfClientsThatSentAheadAreSeen(t *testing.T) {
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
