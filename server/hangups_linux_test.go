package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
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

// Where a hang-up is watched for, reads of one byte are special. Here they are
// needed: after the first part net/http's buffer has room for no more.
func TestEveryByteOfARequestIsRead(t *testing.T) {
	const buffer = 4096
	s := start(t, open())
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	answers := bufio.NewReader(c)
	for range 50 { // the parts may arrive as one
		line := "GET /debug?"
		line += strings.Repeat("x", buffer-1-len(line))
		for _, part := range []string{line, "y", " HTTP/1.1\r\nHost: chat\r\n\r\n" + request("/debug")} {
			_, err := io.WriteString(c, part)
			require.NoError(t, err)
			runtime.Gosched()
		}
		for range 2 {
			resp, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
		}
	}
}
