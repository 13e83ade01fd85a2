package conns

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
	"pubsub/server/turn"
	"pubsub/server/web"
)

// noRefusals counts none.
type noRefusals struct{}

func (noRefusals) Count(string, slog.Level) bool { return false }
func (noRefusals) CountPanic()                   {}

// looping is a server whose requests for /sub/ may wait.
type looping struct {
	addr   string
	conns  *Conns
	server *http.Server
	inLoop func(*http.Request) bool
	waits  chan asked   // of /sub/wait
	ended  chan string  // queries of those that ended
	blocks chan blocked // of /sub/block
	times  atomic.Int64 // that the loop has served
	counts chan int64   // times, at /sub/times

	serverTLS, clientTLS *tls.Config // nil: without
}

// transports are changes for startLoop.
var transports = map[string]func(*looping, *settings.Settings){
	"plain": func(*looping, *settings.Settings) {},
	"TLS": func(s *looping, _ *settings.Settings) {
		self := httptest.NewTLSServer(nil)
		s.serverTLS, s.clientTLS = self.TLS.Clone(), self.Client().Transport.(*http.Transport).TLSClientConfig
		s.clientTLS.ServerName, s.serverTLS.NextProtos = "example.com", []string{"http/1.1"}
		self.Close()
	},
}

// overEach does a test over each transport.
func overEach(t *testing.T, test func(t *testing.T, transport func(*looping, *settings.Settings))) {
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) { test(t, transport) })
	}
}

// asked is an exchange and its query.
type asked struct {
	*Exchange
	query string
}

// blocked is a request whose handler goes on when release is closed.
type blocked struct {
	*http.Request
	release chan struct{}
}

// startLoop serves its own toys. The server may be changed before.
func startLoop(t testing.TB, change ...func(*looping, *settings.Settings)) *looping {
	set := settings.Default()
	set.MaxConnectionsPerAddress = 0
	s := &looping{
		server: &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), MaxHeaderBytes: MaxHeader},
		inLoop: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/sub/") },
		waits:  make(chan asked, 10_000), ended: make(chan string, 10_000), blocks: make(chan blocked, 100), counts: make(chan int64, 1),
	}
	s.server.Handler = http.HandlerFunc(s.toy)
	for _, each := range change {
		each(s, &set)
	}
	responder := &web.Responder{Log: slog.New(slog.DiscardHandler), Refusals: noRefusals{}, Draining: func() bool { return false }}
	s.conns = New(&set, responder, func() {})
	s.conns.InLoop = s.inLoop
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = l.Addr().String()
	ours := s.conns.Prepare(s.server, l)
	served := make(chan error, 1)
	if s.serverTLS != nil {
		s.server.TLSConfig = s.serverTLS
		ours = tls.NewListener(ours, s.serverTLS)
	}
	go func() { served <- s.server.Serve(ours) }()
	t.Cleanup(func() {
		require.NoError(t, s.server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		require.NoError(t, s.conns.Close())
		// A handler that is about to join the loop may still do so, and leave it.
		require.Eventually(t, func() bool { return s.conns.Open() == 0 && s.open() == 0 }, pubsubtest.Patience, time.Millisecond)
	})
	return s
}

// toy waits at /sub/wait, and answers all else with what was asked for, and how it is served.
func (s *looping) toy(w http.ResponseWriter, r *http.Request) {
	MarkHandled(r)
	if servedBy(r) == "loop" {
		s.times.Add(1)
	}
	if (r.TLS != nil) != (s.serverTLS != nil) {
		panic("a request without its TLS, or with another's")
	}
	query := r.URL.RawQuery
	switch r.URL.Path {
	case "/sub/wait", "/sub/wait/panic":
		e, err := Wait(w, r, func() { s.ended <- query })
		if err == nil {
			s.waits <- asked{e, query}
		} else {
			s.ended <- query + " at once"
		}
		if r.URL.Path == "/sub/wait/panic" {
			panic("after Wait")
		}
		return
	case "/sub/times":
		s.counts <- s.times.Load()
	case "/sub/block", "/sub/hold":
		if r.URL.Path == "/sub/block" {
			turn.HandOn(r.Context())
		}
		b := blocked{r, make(chan struct{})}
		s.blocks <- b
		<-b.release
	case "/sub/panic":
		_, _ = io.WriteString(w, "not sent")
		panic(query)
	case "/sub/abort":
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s", servedBy(r), r.URL)
}

// open is how many connections the loop has.
func (s *looping) open() int {
	s.conns.loop.mu.Lock()
	defer s.conns.loop.mu.Unlock()
	return s.conns.loop.open
}

// closeIdle closes the idle connections until so many are left. The loop may be reading from one
// meanwhile, which is not idle then.
func (s *looping) closeIdle(t testing.TB, left int) {
	require.Eventually(t, func() bool {
		s.conns.loop.closeIdleSince(time.Now())
		return s.open() == left
	}, pubsubtest.Patience, time.Millisecond)
}

func servedBy(r *http.Request) string {
	if stintOf(r).request != nil {
		return "loop"
	}
	return "net/http"
}

// client is one connection.
type client struct {
	net.Conn
	t   testing.TB
	r   *bufio.Reader
	tcp *net.TCPConn
}

func (s *looping) dial(t testing.TB) *client {
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(2*pubsubtest.Patience))) // a test fails where it waits in vain
	tcp := c.(*net.TCPConn)
	if s.clientTLS != nil {
		c = tls.Client(c, s.clientTLS)
	}
	return &client{c, t, bufio.NewReader(c), tcp}
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: chat\r\n\r\n" }

func (c *client) send(text string) {
	_, err := io.WriteString(c, text)
	require.NoError(c.t, err)
}

// answer reads an answer's body.
func (c *client) answer() string {
	resp, err := http.ReadResponse(c.r, nil)
	require.NoError(c.t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return string(body)
}

// ends reads until the server has closed the connection, and returns the rest.
func (c *client) ends() string {
	rest, _ := io.ReadAll(c.r) // maybe reset
	return string(rest)
}

func whole(body string) []byte { return AppendAnswer(nil, 200, nil, []byte(body), false) }

// answerNext answers the next exchange that waits.
func (s *looping) answerNext(t testing.TB, body string) {
	e := <-s.waits
	require.True(t, e.Take())
	e.Send(whole(body), false, holdNothing)
	require.False(t, e.Take())
}

// joined returns a connection that the loop has.
func (s *looping) joined(t testing.TB) *client {
	c := s.dial(t)
	c.send(get("/sub/wait"))
	s.answerNext(t, "joined")
	require.Equal(t, "joined", c.answer())
	return c
}

func TestRequestsWaitOneAfterTheOther(t *testing.T) { overEach(t, waitOneAfterTheOther) }

func waitOneAfterTheOther(t *testing.T, transport func(*looping, *settings.Settings)) {
	s := startLoop(t, transport)
	c := s.dial(t)
	for i := range 100 {
		c.send(get("/sub/wait"))
		s.answerNext(t, fmt.Sprint(i))
		require.Equal(t, fmt.Sprint(i), c.answer())
	}
	c.send(get("/sub/wait"))
	old := <-s.waits
	require.True(t, old.Take())
	old.Send(whole("old"), false, holdNothing)
	require.Equal(t, "old", c.answer())
	c.send(get("/sub/wait"))
	now := <-s.waits
	require.False(t, old.Take(), "this is another's")
	require.True(t, now.Take())
	now.Send(whole("now"), false, holdNothing)
	require.Equal(t, "now", c.answer())
	c.send(get("/sub/now"))
	require.Equal(t, "loop /sub/now", c.answer())
	for range rounds(1000) { // given back again and again
		c.send(get("/else"))
		require.Equal(t, "net/http /else", c.answer())
		c.send(get("/sub/now"))
		require.Equal(t, "net/http /sub/now", c.answer())
		c.send(get("/sub/wait"))
		s.answerNext(t, "there")
		require.Equal(t, "there", c.answer())
	}
	require.Equal(t, 1, s.conns.Open())
	c.send(get("/sub/wait?last"))
	<-s.waits
	c.Close()
	require.Equal(t, "last", <-s.ended)
}
