package clients_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// capricious stands before a server, and answers streams by polling it. It does everything
// that a stream may do, and often: it ends, says that it is too busy, and is silent.
type capricious struct {
	server string      // its URL
	addr   string      // host:port of what stands before it
	kind   atomic.Bool // whether no stream is refused any more
}

// front is what the clients speak to.
type front struct {
	addr string // host:port
	calm func() // lets everybody in from now on
}

// fronts are the server itself, and one that does what servers may do and seldom do.
var fronts = map[string]func(*testing.T, *pubsubtest.Server) front{
	"the server": func(_ *testing.T, s *pubsubtest.Server) front { return front{s.Addr(), func() {}} },
	"a capricious one": func(t *testing.T, s *pubsubtest.Server) front {
		c := startCapricious(t, s)
		return front{c.addr, func() { c.kind.Store(true) }}
	},
}

// startCapricious starts one before a server. It ends with the test.
func startCapricious(t *testing.T, s *pubsubtest.Server) *capricious {
	c := &capricious{server: s.URL.String()}
	polls := httputil.NewSingleHostReverseProxy(s.URL)
	transport := new(http.Transport)
	polls.Transport = transport
	polls.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Accept") == "text/event-stream":
			c.events(w, r)
		case r.Header.Get("Upgrade") == "websocket":
			c.socket(w, r)
		default:
			polls.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		transport.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
	})
	c.addr = strings.TrimPrefix(front.URL, "http://")
	return c
}

// refuses tells whether a stream is to be refused.
func (c *capricious) refuses() bool { return !c.kind.Load() && rand.IntN(5) == 0 }

// page is the answer to a poll.
type page struct {
	text          string
	Messages      []json.RawMessage
	Cursor, Start string
	Gap           map[string]any
}

// poll asks the server. What it waits is how often a stream is heard of.
func (c *capricious) poll(ctx context.Context, path, since, timeout string) (*page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path+"?timeout="+timeout+"&since="+url.QueryEscape(since), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d, %v", resp.StatusCode, err)
	}
	p := &page{text: string(text)}
	return p, json.Unmarshal(text, p)
}

// pages hands on pages until the stream is to end.
func (c *capricious) pages(r *http.Request, take func(*page) error) error {
	since := r.URL.Query().Get("since")
	for range 1 + rand.IntN(20) {
		p, err := c.poll(r.Context(), r.URL.Path, since, "0.2")
		if err != nil {
			return err
		}
		if err := take(p); err != nil {
			return err
		}
		since = p.Cursor
	}
	return nil
}

func (c *capricious) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	fmt.Fprintf(w, "retry: %d\r\n\n", rand.IntN(50))
	if c.refuses() {
		fmt.Fprint(w, "event: error\ndata: {\"error\":\"The server is full.\",\"status\":503}\n\n")
		return
	}
	flush := http.NewResponseController(w).Flush
	begun := false
	err := c.pages(r, func(p *page) error {
		if !begun {
			fmt.Fprintf(w, "event: begin\nid: %s\ndata: {}\n\n", p.Start)
			begun = true
		}
		writeEvents(w, p)
		return flush()
	})
	if err == nil {
		fmt.Fprint(w, "event: end\r\ndata: {\"reason\":\"lifetime\"}\r\nretry: 20\r\n\r\n")
	}
}

// writeEvents writes a page as events. Each has the cursor of all channels after it, which
// only a server, or a test, may compute.
func writeEvents(w io.Writer, p *page) {
	at := strings.Split(p.Start, ",")
	if p.Gap != nil {
		gap, _ := json.Marshal(p.Gap)
		fmt.Fprintf(w, "event: gap\nid: %s\ndata: %s\n\n", p.Start, gap)
	}
	channels := make(map[string]int)
	for _, m := range p.Messages {
		var message struct {
			ID      uint64
			Channel string
		}
		_ = json.Unmarshal(m, &message)
		place, known := channels[message.Channel]
		if !known {
			place = placeOf(p, at, message.ID, len(channels))
			channels[message.Channel] = place
		}
		at[place] = fmt.Sprintf("%s-%d", epochOf(at[place]), message.ID)
		fmt.Fprintf(w, "id: %s\ndata: %s\n\n", strings.Join(at, ","), m)
	}
	if len(p.Messages) == 0 {
		fmt.Fprint(w, ": still here\n")
	}
}

// placeOf finds which part of a joint cursor a channel's first message follows.
func placeOf(p *page, at []string, id uint64, from int) int {
	ends := strings.Split(p.Cursor, ",")
	for i := from; i < len(at); i++ {
		if at[i] != ends[i] && strings.HasSuffix(at[i], fmt.Sprintf("-%d", id-1)) {
			return i
		}
	}
	panic(fmt.Sprintf("message %d is in no channel of %s to %s", id, p.Start, p.Cursor))
}

func epochOf(cursor string) string { return cursor[:strings.IndexAny(cursor, ".-")] }

func (c *capricious) socket(w http.ResponseWriter, r *http.Request) {
	if c.refuses() {
		w.Header().Set("Retry-After", "0")
		http.Error(w, `{"error":"The server is full."}`, http.StatusServiceUnavailable)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx := conn.CloseRead(r.Context())
	err = c.pages(r, func(p *page) error { return conn.Write(ctx, websocket.MessageText, []byte(p.text)) })
	if err == nil {
		_ = conn.Close(websocket.StatusGoingAway, "lifetime")
	}
}

func TestCapriciousAnswersAsTheContractHasIt(t *testing.T) {
	t.Parallel()
	s := pubsubtest.Start(t)
	c := startCapricious(t, s)
	c.kind.Store(true)
	front, err := pubsubtest.At("http://" + c.addr)
	require.NoError(t, err)
	defer front.CloseIdle()
	s.Post(t, "/pub/room?message=hi", pubsubtest.Body{})
	a := front.Get(t, "/sub/room?since=all", "Accept: text/event-stream")
	require.Regexp(t, `(?s)^retry: \d+\r\n\nevent: begin\nid: \w+-0\ndata: \{\}\n\nid: \w+-1\ndata: \{"id":1,.*"message":"hi"\}\n\n`, a.Body)
	require.Contains(t, a.Body, "event: end\r\n")
}
