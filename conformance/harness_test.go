package conformance_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything that must happen may take.
const patience = 10 * time.Second

// server is a running server, known by its address alone.
type server struct{ url *url.URL }

// body is what a request carries; the zero body is none.
type body struct{ contentType, text string }

const urlencoded = "application/x-www-form-urlencoded"

// form is a urlencoded form of name, value, name, value …
func form(pairs ...string) body {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return body{urlencoded, values.Encode()}
}

// parts is the same as a multipart form.
func parts(pairs ...string) body {
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	for i := 0; i < len(pairs); i += 2 {
		w.WriteField(pairs[i], pairs[i+1])
	}
	w.Close()
	return body{w.FormDataContentType(), text.String()}
}

func jsonText(text string) body { return body{"application/json", text} }

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // on its connection: the server closes it
}

var client = &http.Client{
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do makes one request. Headers are written "Name: value".
func (s server) do(t *testing.T, method, target string, b body, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url.Scheme+"://"+s.url.Host+target, strings.NewReader(b.text))
	require.NoError(t, err)
	if b.contentType != "" {
		req.Header.Set("Content-Type", b.contentType)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	require.NoError(t, err)
	return readAnswer(t, resp)
}

func (s server) get(t *testing.T, target string, headers ...string) answer {
	t.Helper()
	return s.do(t, "GET", target, body{}, headers...)
}

func (s server) post(t *testing.T, target string, b body, headers ...string) answer {
	t.Helper()
	return s.do(t, "POST", target, b, headers...)
}

func readAnswer(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(text), resp.Close}
}

// mediaType is the content type without its parameters.
func (a answer) mediaType() string {
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return media
}

// into reads the answer, which must be a 200 with JSON, into v.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Equal(t, "application/json", a.mediaType())
	require.NoError(t, json.Unmarshal([]byte(a.body), v), a.body)
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	a.into(t, &v)
	return v
}

// requireRefused asks for one of the statuses, with JSON that holds a sentence for a person.
func (a answer) requireRefused(t *testing.T, statuses ...int) {
	t.Helper()
	require.Contains(t, statuses, a.status, a.body)
	require.Equal(t, "application/json", a.mediaType(), a.body)
	var v struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(a.body), &v), a.body)
	require.GreaterOrEqual(t, len(strings.Fields(v.Error)), 3, "not a sentence: %s", a.body)
}

// conn is one TCP connection to the server. It sends what it is told byte for byte, where net/http's
// client would clean the path and choose the connection by itself.
type conn struct {
	net.Conn
	server server
	r      *bufio.Reader
}

func (s server) dial(t *testing.T) *conn {
	t.Helper()
	port := s.url.Port()
	if port == "" {
		port = s.url.Scheme
	}
	d := &net.Dialer{Timeout: patience}
	dial := d.DialContext
	if s.url.Scheme == "https" {
		dial = (&tls.Dialer{NetDialer: d}).DialContext
	}
	c, err := dial(t.Context(), "tcp", net.JoinHostPort(s.url.Hostname(), port))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return &conn{c, s, bufio.NewReader(c)}
}

// send sends a request without body, or one whose body the caller writes next.
func (c *conn) send(t *testing.T, method, target string, headers ...string) {
	t.Helper()
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: " + c.server.url.Host}, headers...)
	c.write(t, strings.Join(lines, "\r\n")+"\r\n\r\n")
}

func (c *conn) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// closeWrite says that nothing more will be sent, and leaves the other direction open.
func (c *conn) closeWrite(t *testing.T) {
	t.Helper()
	half, ok := c.Conn.(interface{ CloseWrite() error })
	require.True(t, ok)
	require.NoError(t, half.CloseWrite())
}

// receive waits for the answer to a request of the given method.
func (c *conn) receive(t *testing.T, method string) answer {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	require.NoError(t, err)
	return readAnswer(t, resp)
}

func (c *conn) do(t *testing.T, method, target string, headers ...string) answer {
	t.Helper()
	c.send(t, method, target, headers...)
	return c.receive(t, method)
}

// poll starts a GET on a connection of its own. Its answer is taken with receive; Close hangs up.
func (s server) poll(t *testing.T, target string, headers ...string) *conn {
	t.Helper()
	c := s.dial(t)
	c.send(t, "GET", target, headers...)
	return c
}

// polls starts n polls on a server that has none, and returns when all of them wait.
func (s server) polls(t *testing.T, n int, target string) []*conn {
	t.Helper()
	s.awaitPolling(t, 0)
	waiting := make([]*conn, n)
	for i := range waiting {
		waiting[i] = s.poll(t, target)
	}
	s.awaitPolling(t, n)
	return waiting
}

// polling is the number of waiting polls, as /debug has it.
func (s server) polling(t *testing.T) int {
	t.Helper()
	a := s.get(t, "/debug")
	require.Equal(t, http.StatusOK, a.status, a.body)
	line, _, _ := strings.Cut(a.body, "\n")
	n, err := strconv.Atoi(strings.TrimPrefix(line, "polling = "))
	require.NoError(t, err, a.body)
	return n
}

// awaitPolling returns when n polls wait. Each look is a round trip, so it does not spin.
func (s server) awaitPolling(t *testing.T, n int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for got := s.polling(t); got != n; got = s.polling(t) {
		require.True(t, time.Now().Before(deadline), "polling = %d, want %d", got, n)
	}
}

var (
	runID   = strconv.FormatInt(time.Now().UnixNano(), 36)
	counter atomic.Int64
)

// fresh is a text, and a channel's name, that no case of any run has used.
func fresh() string { return fmt.Sprintf("t-%s-%d", runID, counter.Add(1)) }
