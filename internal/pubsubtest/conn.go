package pubsubtest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Conn is one connection to a server, and a browser of its own unless a request says which
// it is: the server takes plain polls of one browser for one client's. It sends what it is
// told byte for byte, where net/http's client would clean the path and choose the
// connection by itself. It is for one goroutine. Close hangs up; the end of the test does
// so too.
type Conn struct {
	net.Conn
	site  Site
	r     *bufio.Reader
	agent string
}

// Dial opens a connection.
func (s Site) Dial(t testing.TB) *Conn {
	t.Helper()
	if s.built {
		lookAtSource()
	}
	d := &net.Dialer{Timeout: Patience}
	dial := d.DialContext
	if s.URL.Scheme == "https" {
		dial = (&tls.Dialer{NetDialer: d}).DialContext
	}
	c, err := dial(t.Context(), s.network, s.addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return &Conn{c, s, bufio.NewReader(c), fmt.Sprintf("User-Agent: %x", rand.Uint64())}
}

// Poll starts a GET on a connection of its own. Its answer is taken with Receive;
// Close hangs up.
func (s Site) Poll(t testing.TB, target string, headers ...string) *Conn {
	t.Helper()
	c := s.Dial(t)
	c.Send(t, http.MethodGet, target, headers...)
	return c
}

// Polls starts n polls on a server that has none, and returns when all of them wait.
func (s Site) Polls(t testing.TB, n int, target string) []*Conn {
	t.Helper()
	s.AwaitPolling(t, 0)
	waiting := make([]*Conn, n)
	for i := range waiting {
		waiting[i] = s.Poll(t, target)
	}
	s.AwaitPolling(t, n)
	return waiting
}

// Site is the server at the other end.
func (c *Conn) Site() Site { return c.site }

// Reader reads what the server sends, after what Receive has taken.
func (c *Conn) Reader() *bufio.Reader { return c.r }

// Send sends a request without body, or one whose body is written next with Write.
// Headers are written "Name: value". It does not wait for the answer.
func (c *Conn) Send(t testing.TB, method, target string, headers ...string) {
	t.Helper()
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + c.site.URL.Host}, headers...)
	if !slices.ContainsFunc(headers, func(header string) bool { return strings.HasPrefix(header, "User-Agent:") }) {
		lines = append(lines, c.agent)
	}
	c.SendText(t, strings.Join(lines, "\r\n")+"\r\n\r\n")
}

// SendText sends these bytes.
func (c *Conn) SendText(t testing.TB, text string) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(Patience)))
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// CloseWrite says that nothing more will be sent, and leaves the other direction open.
func (c *Conn) CloseWrite(t testing.TB) {
	t.Helper()
	half, ok := c.Conn.(interface{ CloseWrite() error })
	require.True(t, ok)
	require.NoError(t, half.CloseWrite())
}

// Receive waits for the answer to a request of the given method.
func (c *Conn) Receive(t testing.TB, method string) Answer {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(Patience)))
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	require.NoError(t, err)
	return readAnswer(t, resp)
}

// Do is Send and Receive.
func (c *Conn) Do(t testing.TB, method, target string, headers ...string) Answer {
	t.Helper()
	c.Send(t, method, target, headers...)
	return c.Receive(t, method)
}
