package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wire is a connection of a browser.
type wire struct {
	net.Conn
	answers *bufio.Reader
}

// browser has tabs in which the original's page is open: each asks again as soon as it has
// an answer. Nothing that they send tells them apart.
type browser struct {
	latency  time.Duration // there and back, in the mean
	random   *rand.Rand
	asks     string
	randomMu sync.Mutex // guards random, and the next one
	idle     []*wire
}

// take returns a connection that no tab is using, and give brings it back.
func (b *browser) take() *wire {
	b.randomMu.Lock()
	defer b.randomMu.Unlock()
	i := b.random.IntN(len(b.idle))
	c := b.idle[i]
	b.idle = append(b.idle[:i], b.idle[i+1:]...)
	return c
}

// way is how long half a way takes, which varies.
func (b *browser) way() time.Duration {
	b.randomMu.Lock()
	defer b.randomMu.Unlock()
	return time.Duration(b.random.Float64() * float64(b.latency))
}

func (b *browser) give(c *wire) {
	b.randomMu.Lock()
	defer b.randomMu.Unlock()
	b.idle = append(b.idle, c)
}

// read polls until its connection is closed. It returns how often each message came.
func (b *browser) read(t *testing.T, keeps *wire) (got map[uint64]int) {
	got = make(map[uint64]int)
	for {
		c := keeps
		if c == nil {
			c = b.take()
		}
		time.Sleep(b.way())
		if _, err := io.WriteString(c, b.asks); err != nil {
			return got
		}
		resp, err := http.ReadResponse(c.answers, nil)
		if err != nil {
			return got
		}
		var m struct{ ID uint64 }
		check(t, json.NewDecoder(resp.Body).Decode(&m) == nil && m.ID > 0, "%d", resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
		got[m.ID]++
		time.Sleep(b.way())
		if keeps == nil {
			b.give(c)
		}
	}
}

// readersCase is a browser, and what is said to it.
type readersCase struct {
	tabs        int
	latency     time.Duration
	rate        int    // messages a second
	connections string // kept: each tab has its own; any: six for all; shared: as kept, and the server sees but one
}

// run tells how many messages the tabs have lost, and how many they had once more.
func (c readersCase) run(t *testing.T, messages int) (lost, doubled int) {
	config := open()
	config.TrustedHops, config.Heartbeat = 1, 0
	bubble(t, config, func(t *testing.T, p *pipes, _ func()) {
		random := rand.New(rand.NewPCG(1, uint64(c.tabs)))
		b := &browser{latency: c.latency, random: random, asks: request("/sub")}
		if c.connections == "shared" {
			b.asks = head("GET", "/sub", "X-Forwarded-For: 203.0.113.1")
		}
		var all []*wire
		dial := func() *wire {
			conn := p.dial()
			all = append(all, &wire{conn, bufio.NewReader(conn)})
			return all[len(all)-1]
		}
		if c.connections == "any" {
			for range 6 {
				b.idle = append(b.idle, dial())
			}
		}
		got := make([]map[uint64]int, c.tabs)
		var tabs sync.WaitGroup
		for i := range got {
			var keeps *wire
			if c.connections != "any" {
				keeps = dial()
			}
			tabs.Go(func() { got[i] = b.read(t, keeps) })
		}
		time.Sleep(time.Second) // all wait
		poster := p.dial()
		defer poster.Close()
		intervals := rand.New(rand.NewPCG(2, uint64(c.rate)))
		for range messages {
			_, err := io.WriteString(poster, head("POST", "/pub?message=hi"))
			require.NoError(t, err)
			status, _ := answer(t, poster)
			require.Equal(t, http.StatusOK, status)
			time.Sleep(time.Duration(intervals.Float64() * 2 * float64(time.Second) / float64(c.rate)))
		}
		time.Sleep(time.Second + time.Duration(messages)*2*c.latency) // what is left comes
		for _, conn := range all {
			conn.Close()
		}
		tabs.Wait()
		for _, times := range got {
			for id := range uint64(messages) {
				lost += max(1-times[id+1], 0)
				doubled += max(times[id+1]-1, 0)
			}
		}
	})
	return lost, doubled
}

// A browser asks on whichever of its connections is free. One tab has each message once
// then, however long the way is and however much is said; several have as long as each
// keeps its connection. Without that several cannot be told apart, and a few messages are
// lost by one and come twice to another.
func TestTabsOfABrowser(t *testing.T) {
	messages := 400
	if testing.Short() {
		messages = 60
	}
	connections := []string{"kept", "any", "shared"}
	var table strings.Builder
	fmt.Fprintf(&table, "lost and doubled, in %%, by connections:\n%19s%8s%8s%8s\n", "", "kept", "any", "shared")
	for _, tabs := range []int{1, 2, 3} {
		for _, latency := range []time.Duration{0, 40 * time.Millisecond, 200 * time.Millisecond} {
			for _, rate := range []int{2, 20} {
				fmt.Fprintf(&table, "%d tabs %6v %3d/s", tabs, latency, rate)
				for _, how := range connections {
					c := readersCase{tabs, latency, rate, how}
					lost, doubled := c.run(t, messages)
					fmt.Fprintf(&table, "%8.1f", float64(100*max(lost, doubled))/float64(tabs*messages))
					if tabs == 1 || how == "kept" {
						require.Equal(t, [2]int{}, [2]int{lost, doubled}, "%+v", c)
					}
				}
				table.WriteByte('\n')
			}
		}
	}
	t.Log(table.String())
}
