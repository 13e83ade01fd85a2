package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// drained is a client that polls until the server sends it away.
type drained struct {
	addr   string
	cursor string // empty: a plain /sub, which relies on its connection
	conn   net.Conn
	reader *bufio.Reader
	last   uint64
	end    string // how it was sent away
}

type said struct {
	ID       uint64
	Messages []struct{ ID uint64 }
	Cursor   string
}

// ask polls once and returns whether to go on.
func (d *drained) ask() (more bool, err error) {
	if d.conn == nil {
		if d.conn, err = net.Dial("tcp", d.addr); err != nil {
			return false, err
		}
		d.reader = bufio.NewReader(d.conn)
	}
	path := "/sub"
	if d.cursor != "" {
		path += "?since=" + d.cursor
	}
	fmt.Fprintf(d.conn, "GET %s HTTP/1.1\r\nHost: chat\r\n\r\n", path)
	resp, err := http.ReadResponse(d.reader, nil)
	if err != nil {
		return false, fmt.Errorf("a poll was not answered: %w", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, fmt.Errorf("an answer was not whole: %w", err)
	}
	var answer said
	if err := json.Unmarshal(body, &answer); err != nil {
		return false, fmt.Errorf("%w: %q", err, body)
	}
	if resp.Close {
		d.conn.Close()
		d.conn = nil
	}
	d.end = fmt.Sprint(resp.StatusCode, " ", resp.Close)
	if d.cursor == "" && resp.StatusCode == http.StatusOK {
		return true, d.take(answer.ID)
	}
	if answer.Cursor != "" {
		d.cursor = answer.Cursor
	}
	for _, m := range answer.Messages {
		if err := d.take(m.ID); err != nil {
			return false, err
		}
	}
	return len(answer.Messages) > 0 || !resp.Close && resp.StatusCode == http.StatusOK, nil
}

func (d *drained) take(id uint64) error {
	if id != d.last+1 {
		return fmt.Errorf("%d after %d", id, d.last)
	}
	d.last = id
	return nil
}

// A stop in the middle of a flood: whatever was acknowledged reaches everybody
// who was waiting, every poll is answered whole, and the next server tells the
// old cursors that it does not know them.
func TestDrainUnderFlood(t *testing.T) {
	t.Parallel()
	waiting := pubsubtest.Size(2000, 400)
	p := startWeb(t, "PUBSUB_MAX_POLLS_PER_ADDRESS=0", "PUBSUB_PUBLISH_RATE=0", "PUBSUB_DRAIN_TIMEOUT=20s")
	var start said
	p.Get(t, "/sub?since=now&timeout=0").Into(t, &start)

	clients := make([]*drained, waiting)
	var all sync.WaitGroup
	for i := range clients {
		d := &drained{addr: p.Addr()}
		if i%2 == 0 {
			d.cursor = start.Cursor
		}
		clients[i] = d
		all.Go(func() {
			for {
				if more, err := d.ask(); err != nil {
					t.Error(err)
					return
				} else if !more {
					return
				}
			}
		})
	}
	p.AwaitPolling(t, waiting)

	var acknowledged atomic.Uint64 // the highest id
	var refused atomic.Int64
	enough := make(chan struct{})
	var once sync.Once
	post := p.URL.JoinPath("pub").String() + "?message=hi"
	for range 8 {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				resp, err := client.Post(post, "", nil)
				if err != nil {
					return // the listener has closed
				}
				var answer said
				err = json.NewDecoder(resp.Body).Decode(&answer)
				resp.Body.Close()
				if resp.StatusCode == http.StatusServiceUnavailable {
					refused.Add(1)
					return
				}
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("post: %d %v", resp.StatusCode, err)
					return
				}
				for old := acknowledged.Load(); old < answer.ID && !acknowledged.CompareAndSwap(old, answer.ID); {
					old = acknowledged.Load()
				}
				if answer.ID >= 30 {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	<-enough
	began := time.Now()
	require.NoError(t, p.Stop(syscall.SIGTERM))
	took := time.Since(began)
	all.Wait()
	ends := map[string]int{}
	for _, d := range clients {
		require.GreaterOrEqual(t, d.last, acknowledged.Load(), "sent away (%s) without all that was acknowledged", d.end)
		ends[d.end]++
	}
	require.Equal(t, map[string]int{"200 true": waiting / 2, "503 true": waiting / 2}, ends)
	t.Logf("%d acknowledged, all with all %d clients; %d posts refused; exit 0 after %v", acknowledged.Load(), waiting, refused.Load(), took.Round(time.Millisecond))

	next := startWeb(t)
	require.Contains(t, next.Get(t, "/sub?timeout=0&since="+clients[0].cursor).Body, `"gap":{"reason":"restarted"}`)
}
