package server_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server"
)

// What net/http refuses before a handler sees it looks as our own refusals do.
func TestRefusalsBeforeAnyHandler(t *testing.T) {
	t.Parallel()
	s, log := startLogging(t, open())
	for name, c := range map[string]struct {
		request  string
		status   int
		sentence string
	}{
		"no Host":          {"GET /debug HTTP/1.1\r\n\r\n", 400, "missing required Host header"},
		"garbage":          {"garbage\r\n\r\n", 400, "is not HTTP/1.1"},
		"HTTP/3":           {"GET /debug HTTP/3.0\r\nHost: chat\r\n\r\n", 400, "is not HTTP/1.1"},
		"unknown encoding": {head("POST", "/pub", "Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", 400, "plain or in chunks"},
		"expectation":      {head("POST", "/pub", "Expect: wonders"), 400, "100-continue"},
		"long header":      {head("GET", "/debug", "X-Long: "+strings.Repeat("x", 30_000)), 431, "more than 16384 bytes"},
	} {
		for before, raw := range map[string]string{"at once": "", "after an answer": head("GET", "/debug"), "after a post": head("POST", "/pub?message=hi", "Content-Length: 0")} {
			got := s.raw(t, raw+c.request)
			require.Contains(t, got, "HTTP/1.1 4", "%s %s", name, before)
			last := got[strings.LastIndex(got, "HTTP/1.1 4"):]
			require.Contains(t, last, fmt.Sprint("HTTP/1.1 ", c.status), "%s %s", name, before)
			require.Contains(t, last, "Content-Type: application/json\r\n")
			_, body, _ := strings.Cut(last, "\r\n\r\n")
			require.Regexp(t, `^\{"error":".*`+c.sentence+`.*"\}\n$`, body)
			if raw != "" {
				require.Contains(t, got, "HTTP/1.1 200 OK", "%s %s", name, before)
			}
		}
	}
	require.EqualValues(t, 15, s.metric(t, `pubsub_requests_refused_total{reason="malformed"}`))
	require.EqualValues(t, 3, s.metric(t, `pubsub_requests_refused_total{reason="header-too-large"}`))
	require.Equal(t, 10, strings.Count(log.String(), "msg=refused status=400 reason=malformed"))
	require.Equal(t, 3, strings.Count(log.String(), "msg=refused status=431 reason=header-too-large"))
	require.Contains(t, s.raw(t, "OPTIONS * HTTP/1.1\r\nHost: chat\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 OK", "no refusal")
}

// Of equal refusals the first are shown, and the others told as a number.
func TestEqualRefusalsAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(said)
		s, err := server.New(open(), static, page, slog.New(slog.NewTextHandler(log, nil)))
		require.NoError(t, err)
		ask := func(path string) {
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		}
		for range 1000 {
			ask("/nothing")
		}
		ask("/sub?since=x")
		require.Equal(t, 11, strings.Count(log.String(), "msg=refused "))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(log.String(), "refused more"))
		require.Contains(t, log.String(), "reason=not-found count=990\n")
		ask("/nothing")
		require.Equal(t, 12, strings.Count(log.String(), "msg=refused "), "it begins anew")
		require.NoError(t, s.Close())
		require.Equal(t, 1, strings.Count(log.String(), "refused more"))
	})
}

func TestOriginRefusalNamesBothSides(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	resp, body := s.do(t, "POST", "/pub?message=hi", "", "Origin: https://evil.example")
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Contains(t, body, "https://evil.example")
	require.Contains(t, body, s.addr)
	_, body = s.do(t, "POST", "/pub?message=hi", "", "Origin: https://"+strings.Repeat("x", 5000))
	require.Less(t, len(body), 500)
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	config := open()
	s, log := startLogging(t, config)
	for id, echoed := range map[string]bool{
		"a": true, strings.Repeat("~", 64): true, strings.Repeat("x", 65): false, "a b": false, "ä": false, "": false,
	} {
		resp, _ := s.do(t, "GET", "/nothing", "", "X-Request-ID: "+id)
		require.Equal(t, echoed, resp.Header.Get("X-Request-ID") != "", id)
		if echoed {
			require.Equal(t, id, resp.Header.Get("X-Request-ID"))
			require.Contains(t, log.String(), "id="+id)
		}
	}
	require.NotContains(t, log.String(), strings.Repeat("x", 65))

	config.LogLevel = slog.LevelDebug
	s, log = startLogging(t, config)
	resp, _ := s.do(t, "GET", "/debug", "")
	made := resp.Header.Get("X-Request-ID")
	require.Len(t, made, 8)
	s.do(t, "GET", "/nothing", "", "X-Request-ID: mine")
	require.Eventually(t, func() bool { // the line follows the answer
		return strings.Contains(log.String(), "status=404 duration=") && strings.Contains(log.String(), "status=200 duration=")
	}, 10*time.Second, time.Millisecond)
	require.Regexp(t, `msg=request method=GET path=/debug status=200 duration=\S+ bytes=\d+ address=127.0.0.1 id=`+made, log.String())
	require.Regexp(t, `msg=request method=GET path=/nothing status=404 duration=\S+ bytes=\d+ address=127.0.0.1 id=mine`, log.String())
}

func TestSlowBodiesAreCountedAsSuch(t *testing.T) {
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		client := p.dial()
		_, err := io.WriteString(client, head("POST", "/pub", "Content-Length: 100")+"message=")
		require.NoError(t, err)
		text, _ := ends(client)
		require.Contains(t, text, "408 ")
		client.Close()
		client = p.dial()
		defer client.Close()
		_, err = io.WriteString(client, request("/metrics"))
		require.NoError(t, err)
		_, metrics := answer(t, client)
		require.Contains(t, metrics, `pubsub_requests_refused_total{reason="slow-body"} 1`)
	})
}

// panicking is a body that panics when it is read, and an answer that does when
// it is written.
type panicking struct{ *httptest.ResponseRecorder }

func (panicking) Read([]byte) (int, error)  { panic("no body") }
func (panicking) Close() error              { return nil }
func (panicking) Write([]byte) (int, error) { panic("no answer") }

func TestPanicsAreAnswered(t *testing.T) {
	t.Parallel()
	log := new(said)
	s, err := server.New(open(), static, page, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	defer s.Close()

	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/pub", nil)
	r.Body = panicking{}
	s.ServeHTTP(w, r)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Regexp(t, `^\{"error":"Something went wrong.*"\}\n$`, w.Body.String())
	require.Contains(t, log.String(), `msg="a handler panicked" panic="no body"`)
	require.Contains(t, log.String(), "panicking.Read", "the stack")

	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		s.ServeHTTP(panicking{httptest.NewRecorder()}, httptest.NewRequest("GET", "/debug", nil))
	}, "the answer had begun")

	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Contains(t, w.Body.String(), "pubsub_panics_total 2\n")
	require.Contains(t, w.Body.String(), `pubsub_requests_refused_total{reason="internal"} 2`)
}

// Each part of an answer after the first goes on with it: net/http would write a
// line for each that begins anew.
func TestHeartbeatsBeginOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(said)
		s, err := server.New(open(), static, page, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		require.NoError(t, err)
		w := &counting{ResponseRecorder: httptest.NewRecorder()}
		ended := make(chan struct{})
		go func() { s.ServeHTTP(w, httptest.NewRequest("GET", "/sub", nil)); close(ended) }()
		time.Sleep(70 * time.Second)
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/pub?message=hi", nil))
		<-ended
		require.Contains(t, w.Body.String(), "\n\n\n{")
		require.Equal(t, 1, w.headers)
		require.NoError(t, s.Close())
	})
}

type counting struct {
	*httptest.ResponseRecorder
	headers int
}

func (c *counting) WriteHeader(status int) {
	c.headers++
	c.ResponseRecorder.WriteHeader(status)
}

// short is a listener that is out of files for a while.
type short struct {
	net.Listener
	failures atomic.Int32
}

func (s *short) Accept() (net.Conn, error) {
	if s.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return s.Listener.Accept()
}

func TestConnectionsThatCannotBeTakenAreTold(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	out := &short{Listener: l}
	out.failures.Store(3)
	log := new(said)
	s := startWith(t, open(), out, slog.New(slog.NewTextHandler(log, nil)))
	require.EqualValues(t, 3, s.metric(t, "pubsub_accept_errors_total"))
	require.Equal(t, 1, strings.Count(log.String(), "a connection could not be taken"))
	require.Contains(t, log.String(), "too many open files")
	require.NoError(t, errors.Join(s.stop()))
	require.Equal(t, 1, strings.Count(log.String(), "a connection could not be taken"), "to close a listener is nothing wrong")
}
