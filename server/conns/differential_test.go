package conns

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
	"pubsub/server/web"
)

// mirror answers with what it was asked for, in whatever way the path says. At /sub/wait the
// request waits where it can.
type mirror struct {
	inLoop atomic.Int64
	cutOff atomic.Int64 // bodies that had no end
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	MarkHandled(r)
	if stintOf(r).request != nil {
		m.inLoop.Add(1)
	}
	sent, err := io.ReadAll(r.Body)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		m.cutOff.Add(1)
	}
	h := w.Header()
	query := r.URL.Query()
	if kind := query.Get("type"); kind != "" {
		h["Content-Type"] = []string{kind}
	}
	for _, value := range query["connection"] {
		h.Add("Connection", value)
	}
	size, _ := strconv.Atoi(query.Get("size"))
	status, _ := strconv.Atoi(query.Get("status"))
	if status < 200 || status > 999 {
		status = http.StatusOK
	}
	said := fmt.Appendf(nil, "%s %q %q %q %v %d %v %v %v %q", r.Method, r.RequestURI, r.URL, r.Host, r.Header,
		r.ContentLength, r.TransferEncoding, r.Close, r.RemoteAddr != "", sent)
	said = append(said, bytes.Repeat([]byte("x"), max(0, min(size, 100_000)))...)
	switch r.URL.Path {
	case "/sub/wait":
		if !CanWait(r) {
			w.WriteHeader(status)
			_, _ = w.Write(said)
			return
		}
		if e, err := Wait(w, r, func() {}); err == nil {
			go func() {
				if e.Take() {
					e.Send(AppendAnswer(nil, status, e.Header(), said, e.Closes()), false, holdNothing)
				}
			}()
		}
	case "/sub/parts":
		h["X-Parts"] = []string{"1", "2\r\nX-No: 3"}
		w.WriteHeader(status)
		h["X-Late"] = []string{"not sent"}
		text := string(said)
		for part := range slices.Chunk(said, 700) {
			_, _ = w.Write(part)
			_, _ = io.WriteString(w, text[:len(part)])
		}
		_, _ = io.WriteString(w, text)
		_, _ = w.Write(nil)
	case "/sub/flush":
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(said)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(said[:10])
	case "/sub/length":
		h["Content-Length"] = []string{query.Get("length")}
		_, _ = w.Write(said)
	case "/sub/nothing":
	case "/sub/abort":
		_, _ = w.Write(said)
		panic(http.ErrAbortHandler)
	default:
		_, _ = w.Write(said)
	}
}

// script is a connection on which a client sends pieces, and then closes its half.
type script struct {
	net.Conn
	pieces [][]byte
	mu     sync.Mutex // guards said
	said   bytes.Buffer
	closed func()
}

func (s *script) Read(b []byte) (int, error) {
	for len(s.pieces) > 0 {
		n := copy(b, s.pieces[0])
		if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
			s.pieces = s.pieces[1:]
		}
		if n > 0 || len(b) == 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

func (s *script) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(b)
}

func (s *script) Close() error                     { s.closed(); return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// scripts is a listener that returns connections which are sent to it.
type scripts struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func (s *scripts) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *scripts) Close() error   { s.close(); return nil }
func (s *scripts) Addr() net.Addr { return &net.TCPAddr{} }

// byNetHTTP returns a function that tells what net/http alone answers to pieces, if it does
// not answer because they end.
func byNetHTTP(t testing.TB) func(pieces [][]byte) (answers []byte, ok bool) {
	m := new(mirror)
	set := settings.Default()
	responder := &web.Responder{Log: slog.New(slog.DiscardHandler), Refusals: noRefusals{}, Draining: func() bool { return false }}
	all := New(&set, responder, func() {})
	done := make(chan struct{})
	l := &scripts{make(chan net.Conn), done, sync.OnceFunc(func() { close(done) })}
	server := &http.Server{Handler: m, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), MaxHeaderBytes: MaxHeader}
	ours := all.Prepare(server, l)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ours) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-served
		require.NoError(t, all.Close())
	})
	return func(pieces [][]byte) ([]byte, bool) {
		before := m.cutOff.Load()
		ended := make(chan struct{})
		s := &script{pieces: slices.Clone(pieces), closed: sync.OnceFunc(func() { close(ended) })}
		l.conns <- s
		<-ended
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.said.Bytes(), m.cutOff.Load() == before
	}
}

var dates = regexp.MustCompile(`Date: [^\r]*`)

func undated(b []byte) string {
	return string(dates.ReplaceAll(b, []byte("Date: -----------------------------")))
}

// fin ends what a client sends, so that it is seen whether the server takes it for a request.
const fin = "GET /sub/fin HTTP/1.1\r\nHost: x\r\n\r\n"

// cut cuts text into pieces. The cuts are lengths.
func cut(text, cuts []byte) (pieces [][]byte) {
	for _, n := range cuts {
		if n := min(int(n), len(text)); n > 0 {
			pieces, text = append(pieces, text[:n]), text[n:]
		}
	}
	return append(pieces, text)
}

// differ compares what the loop and net/http answer.
type differ struct {
	s        *looping
	mirror   *mirror
	expected func(pieces [][]byte) (answers []byte, ok bool)
	other    *client // on another connection
}

func newDiffer(t testing.TB) *differ {
	m := new(mirror)
	d := &differ{startLoop(t, func(s *looping, _ *settings.Settings) { s.server.Handler = m }), m, byNetHTTP(t), nil}
	d.other = d.s.dial(t)
	d.other.t = t
	d.other.send(get("/sub/wait"))
	d.other.answer()
	return d
}

// compare has both answer the same. A pause is such that the loop looks at each piece by itself.
func (d *differ) compare(t *testing.T, text, cuts []byte, pause bool) {
	pieces := cut(append(slices.Clone(text), fin...), cuts)
	answers, ok := d.expected(pieces)
	if !ok {
		return
	}
	want := undated(answers)
	c := d.s.dial(t)
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	c.send(get("/sub/wait"))
	c.answer()
	var sends sync.WaitGroup
	var unsent error // as the server has closed it
	sends.Go(func() {
		for _, piece := range pieces {
			_, err := c.Write(piece)
			unsent = errors.Join(unsent, err)
			if pause {
				d.other.send(get("/sub/now"))
				d.other.answer()
			}
		}
	})
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	sends.Wait()
	if err == nil || err == io.EOF && len(want) == 0 {
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		var rest []byte
		rest, err = io.ReadAll(c.r)
		got = append(got[:n], rest...)
		n = len(got)
	}
	if (unsent != nil || errors.Is(err, syscall.ECONNRESET)) && strings.HasPrefix(want, undated(got[:n])) {
		return // it was closed with something unread, and so reset: some of the answer may be lost
	}
	require.Equal(t, want, undated(got[:n]), "%v %q in %d", err, text, cuts)
}

const host = "Host: x\r\n"

// request is a GET with more headers.
func request(target, headers string) string {
	return "GET " + target + " HTTP/1.1\r\n" + host + headers + "\r\n"
}

// tricky are requests that are served, and such that nobody may take for another.
var tricky = func() []string {
	all := []string{
		"", "\r\n", "\n", "\r\n\r\n", "G", "GET /sub/a HTTP/1.1", "GET /sub/a HTTP/1.1\r\n\r\n",
		"GET /sub/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /sub/a HTTP/1.1\r\nHost: a b\\<>\r\n\r\n", "GET /sub/a HTTP/1.1\r\nHost:\r\n\r\n",
		"GET /sub/a HTTP/1.1\r\nHost: x, y\r\n\r\n", "GET /sub/a HTTP/1.1\r\nHost: x@y\r\n\r\n", "GET /sub/a HTTP/1.1\r\nhost: x\r\n\r\n",
		"GET /sub/a HTTP/1.1\nHost: x\n\n", "GET /sub/a HTTP/1.1\r\nHost: x\n\nGET /sub/b HTTP/1.1\r\nHost: y\r\n\r\n", "GET /sub/a HTTP/1.1\nHost: x\r\n\r\n",
		"GET /sub/a HTTP/1.1\r\nHost: x\r\n\n", "GET /sub/a HTTP/1.1\r\nHost: x\n\r\nGET /sub/b HTTP/1.1\r\nHost: y\r\n\r\n",
		"\r\nGET /sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "\n\nGET /sub/a HTTP/1.1\r\nHost: x\r\n\r\n", " GET /sub/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /sub/a HTTP/1.0\r\n\r\n", "GET /sub/a HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", "GET /sub/a HTTP/1.2\r\nHost: x\r\n\r\n",
		"GET /sub/a HTTP/2.0\r\nHost: x\r\n\r\n", "GET /sub/a HTTP/3.0\r\nHost: x\r\n\r\n", "GET /sub/a HTTP/0.9\r\nHost: x\r\n\r\n", "GET /sub/a\r\n\r\n",
		"GET /sub/a http/1.1\r\nHost: x\r\n\r\n", "GET /sub/a HTTP/1.1 \r\nHost: x\r\n\r\n", "GET  /sub/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET\t/sub/a\tHTTP/1.1\r\nHost: x\r\n\r\n", "GET /sub/a HTTP/1.1\rHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"get /sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD /sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT /sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE /sub/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://other/sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://other/sub/a HTTP/1.1\r\n\r\n", "GET http://o%20ther/sub/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET //sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "GET ///sub/a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sub%2Fa HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sub/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /sub/a?since=\x01 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sub/\xff HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sub/a#x HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /sub/a;x?y#z HTTP/1.1\r\nHost: x\r\n\r\n", "GET /sub/../b HTTP/1.1\r\nHost: x\r\n\r\n", "GET sub/a HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n" + request("/sub/a", ""), "POST /pub HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", request("/sub/a", "") + request("/sub/b", ""),
		request("/sub/a", "") + "\r\n", request("/sub/wait", "") + request("/sub/wait?2", "") + request("/other", "") + request("/sub/c", ""),
		strings.Repeat(request("/sub/wait?size=10", ""), 300), strings.Repeat(request("/sub/many", ""), 1000),
		request("/sub/a", "X: "+strings.Repeat("a", 4000)+"\r\n") + request("/sub/b", ""), request("/sub/a", "X: "+strings.Repeat("a", 16_000)+"\r\n"),
		request("/sub/a", "X: "+strings.Repeat("a", 17_000)+"\r\n"), request("/sub/a", "X: "+strings.Repeat("a", 30_000)+"\r\n"), request("/sub/a", strings.Repeat("a:b\r\n", 2000)),
		request("/sub/a", strings.Repeat("a:b\r\n", 5000)),
	}
	for length := 4080; length <= 4100; length += 5 {
		one := request("/sub/a?", "")
		all = append(all, strings.Replace(one, "?", "?"+strings.Repeat("y", length-len(one)), 1)+request("/sub/b", ""))
	}
	for length := MaxHeader - 2; length <= MaxHeader+2; length++ {
		one := request("/sub/a?", "")
		all = append(all, strings.Replace(one, "?", "?"+strings.Repeat("y", length-len(one)), 1)+request("/sub/b", ""))
	}
	for _, header := range []string{
		"X: a\x00b", "X: a\x01b", "X: a\rb", "X: a\x7fb", "X: \xff", "X Y: a", "X : a", "X(Y: a", ": a", "X\xc3\xa9: a", "X: a\r\n b", " X: a", "\tX: a", "X", "X:", "X: \t ", "x: a\r\nX: b",
		"Content-Length: 0", "Content-Length: 3\r\n\r\nabc", "Content-Length: +0", "Content-Length: -0", "Content-Length: 00", "Content-Length: 0x0", "Content-Length: 0, 0", "Content-Length:",
		"Content-Length: 0\r\nContent-Length: 0", "Content-Length: 0\r\nContent-Length: 3", "Content-Length: 99999999999999999999", "Content-Length : 3", "Content-Length: 3 ", "content-length: 30",
		"Transfer-Encoding: chunked\r\n\r\n0\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG", "Transfer-Encoding: xchunked",
		"Transfer-Encoding: identity", "Transfer-Encoding : chunked", "Transfer-Encoding:\x0bchunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
		"Transfer-Encoding: chunked\r\n\nabc\r\n0\r\n\r0", "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n", "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n", "Transfer-Encoding: chunked\r\n\r\nx\r\n", "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\nX: y\r\n",
		"Trailer: X", "Expect: 100-continue", "Expect: x", "Expect: ", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		"Connection: close", "Connection: keep-alive, Close", "Connection: x close", "Connection: closed", "Connection: keep-alive\r\nConnection: close", "Connection: clo\xc5\xbfe", "Connection: keep-alive",
		"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: websocket\r\nConnection: Upgrade", "Pragma: no-cache", "Cookie: a=b; c=d", "Host: y", "X-Request-Id: abc",
	} {
		all = append(all, request("/sub/a", header+"\r\n")+request("/sub/b", ""), request("/sub/wait", header+"\r\n"))
	}
	for _, target := range []string{
		"/sub/nothing", "/sub/abort", "/sub/flush", "/sub/flush?size=3000", "/sub/length?length=1000000", "/sub/length?length=3", "/sub/length?length=x", "/sub/length?length=-1",
		"/sub/parts", "/sub/parts?size=5000", "/sub/parts?status=404", "/sub/parts?status=204", "/sub/parts?status=304&type=x", "/sub/parts?status=299",
		"/sub/parts?connection=close", "/sub/parts?connection=x%2c%20close", "/sub/parts?connection=x", "/sub/parts?type=text/x&size=100000",
		"/sub/wait?connection=close", "/sub/wait?connection=x%2c%20close", "/sub/wait?type=a/b", "/sub/wait?status=404", "/sub/wait?status=204", "/sub/wait?status=304", "/sub/wait?status=299",
		"/sub/wait?size=100000", "/sub/wait?type=%0aa",
	} {
		all = append(all, request(target, "")+request("/sub/b", ""))
	}
	for size := 1880; size < 1990; size += 3 { // about where chunks begin
		all = append(all, request("/sub/wait?size="+strconv.Itoa(size), "")+request("/sub/a?size="+strconv.Itoa(size), ""))
	}
	return all
}()

// Whatever a client sends is answered as by net/http alone, byte by byte.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	d := newDiffer(t)
	for _, text := range tricky {
		d.compare(t, []byte(text), nil, false)
		d.compare(t, []byte(text), []byte{1, 3, 15, 18, 20, 22, 1, 1, 1, 100, 255}, true)
	}
	require.Greater(t, d.mirror.inLoop.Load(), int64(1000))
}

func FuzzLoop(f *testing.F) {
	for i, text := range tricky {
		if len(text) < 1000 {
			f.Add([]byte(text), []byte{byte(i), 2, byte(i * 7)}, i%2 == 0)
		}
	}
	d := newDiffer(f)
	f.Fuzz(func(t *testing.T, text, cuts []byte, pause bool) {
		if len(text) < 1<<16 && len(cuts) < 100 {
			d.other.t = t
			d.compare(t, text, cuts, pause)
		}
	})
}
