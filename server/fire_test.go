package server_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How hard the tests under fire are; docs/how-it-works.md has what was measured.
var (
	fireClients    = flag.Int("fire.clients", 100, "clients")
	fireFor        = flag.Duration("fire.for", 3*time.Second, "how long messages come")
	fireRate       = flag.Int("fire.rate", 200, "messages a second for clients with a cursor")
	fireSerialRate = flag.Int("fire.plain-rate", 20, "messages a second for clients of a plain /sub")
)

// publishAll posts at a steady rate, however long the answers take, and returns
// the id of the last message.
func (s *running) publishAll(t require.TestingT, rate int) uint64 {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var posts sync.WaitGroup
	var last atomic.Uint64
	for range int(fireFor.Seconds() * float64(rate)) {
		<-tick.C
		posts.Go(func() {
			id := s.post(t, "hi")
			for old := last.Load(); id > old && !last.CompareAndSwap(old, id); {
				old = last.Load()
			}
		})
	}
	posts.Wait()
	return last.Load()
}

// Clients that keep their cursor see every message once and in order, though a
// tenth of their polls is cut before, during or after the answer.
func TestCursorClientsUnderFire(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	var clients sync.WaitGroup
	var lastID uint64
	published := make(chan struct{})
	var cuts, polls int64
	var countMu sync.Mutex
	start := cursorOf(t, s.get(t, "/sub?since=now&timeout=0"))
	for range *fireClients {
		clients.Go(func() {
			client := &fireClient{server: s}
			defer client.hangUp()
			cursor, seen := start, uint64(0)
			for done := false; !done; {
				select {
				case <-published:
					done = seen == lastID
				default:
				}
				if done {
					break
				}
				body, cut := client.poll(t, "/sub?timeout=1&since="+cursor, randomCut())
				countMu.Lock()
				polls++
				if cut {
					cuts++
				}
				countMu.Unlock()
				if cut { // whatever came was not taken in: ask from the same place
					continue
				}
				var page struct {
					Messages []struct{ ID uint64 }
					Cursor   string
					Gap      any
				}
				if !check(t, json.Unmarshal(body, &page) == nil, "not JSON: %q", body) {
					return
				}
				check(t, page.Gap == nil, "a gap: %s", body)
				for _, m := range page.Messages {
					if !check(t, m.ID == seen+1, "%d after %d", m.ID, seen) {
						return
					}
					seen = m.ID
				}
				cursor = page.Cursor
			}
		})
	}
	lastID = s.publishAll(t, *fireRate)
	close(published)
	clients.Wait()
	t.Logf("%d clients, %d messages, %d polls, %d of them cut: nothing lost, doubled or out of order", *fireClients, lastID, polls, cuts)
	require.NotZero(t, cuts)
}

func check(t *testing.T, ok bool, format string, args ...any) bool {
	if !ok {
		t.Errorf(format, args...)
	}
	return ok
}

func cursorOf(t require.TestingT, body string) string {
	var page struct{ Cursor string }
	require.NoError(t, json.Unmarshal([]byte(body), &page))
	require.NotEmpty(t, page.Cursor)
	return page.Cursor
}

// fireClient polls on a connection that it keeps until it is cut.
type fireClient struct {
	server *running
	conn   net.Conn
	answer *bufio.Reader
}

func (c *fireClient) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// One poll in ten is cut: while it waits, in the middle of the answer, or with
// the whole answer thrown away.
const (
	cutWaiting = iota
	cutAnswering
	cutAnswered
	neverCut = 30
)

func randomCut() int { return rand.IntN(neverCut) }

// poll asks once, and is cut as said.
func (c *fireClient) poll(t *testing.T, path string, how int) (body []byte, cut bool) {
	if c.conn == nil {
		c.conn = c.server.dial(t, path)
		c.answer = bufio.NewReader(c.conn)
	} else {
		fmt.Fprint(c.conn, request(path))
	}
	switch how {
	case cutWaiting:
		_ = c.conn.SetReadDeadline(time.Now().Add(rand.N(20 * time.Millisecond)))
		_, _ = c.answer.ReadByte()
	case cutAnswering:
		_, _ = io.ReadFull(c.answer, make([]byte, 1+rand.IntN(200)))
	}
	if how < cutAnswered {
		c.hangUp()
		return nil, true
	}
	resp, err := http.ReadResponse(c.answer, nil)
	if !check(t, err == nil, "poll: %v", err) {
		c.hangUp()
		return nil, true
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	check(t, err == nil && resp.StatusCode == http.StatusOK, "poll: %d %v %s", resp.StatusCode, err, body)
	return body, how == cutAnswered
}

// Clients of a plain /sub, written for the original, lose nothing on their
// keep-alive connection.
func TestPlainClientsUnderFire(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	total := uint64(fireFor.Seconds() * float64(*fireSerialRate))
	var clients sync.WaitGroup
	for range *fireClients {
		clients.Go(func() {
			client := &fireClient{server: s} // net/http's would give its connection up where the machine is slow
			defer client.hangUp()
			for want := uint64(1); want <= total; want++ {
				body, _ := client.poll(t, "/sub", neverCut)
				var m struct{ ID uint64 }
				if !check(t, json.Unmarshal([]byte(strings.TrimSpace(string(body))), &m) == nil && m.ID == want, "want %d, got %s", want, body) {
					return
				}
			}
		})
	}
	s.polling(t, *fireClients)
	s.publishAll(t, *fireSerialRate)
	clients.Wait()
	t.Logf("%d clients, %d messages: nothing lost, doubled or out of order", *fireClients, total)
}
