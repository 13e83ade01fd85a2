package server_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	slowClients = flag.Int("slow.clients", 200, "clients of either kind that are slow on purpose")
	slowGone    = flag.Bool("slow.gone", false, "wait until their timeouts have ended them")
)

// chatFor lets 20 clients chat for 2 s and returns how long each message took
// to each, in order of length.
func (s *running) chatFor(t *testing.T) (delays []time.Duration) {
	const clients, messages = 20, 100
	var mu sync.Mutex
	var all sync.WaitGroup
	first := cursorOf(t, s.get(t, "/sub?since=now&timeout=0"))
	for range clients {
		all.Go(func() {
			client := &fireClient{server: s}
			defer client.hangUp()
			for cursor, seen := first, 0; seen < messages; {
				body, _ := client.poll(t, "/sub?since="+cursor, neverCut)
				var page struct {
					Messages []struct {
						ID        uint64
						Timestamp float64
					}
					Cursor string
				}
				if !check(t, json.Unmarshal(body, &page) == nil, "%s", body) {
					return
				}
				now := time.Now()
				mu.Lock()
				for _, m := range page.Messages {
					delays = append(delays, now.Sub(time.UnixMicro(int64(m.Timestamp*1e6))))
				}
				mu.Unlock()
				seen += len(page.Messages)
				cursor = page.Cursor
			}
		})
	}
	s.polling(t, clients)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range messages {
		<-tick.C
		s.post(t, "hi")
	}
	all.Wait()
	require.Len(t, delays, clients*messages)
	slices.Sort(delays)
	return delays
}

func ofDelays(delays []time.Duration) string {
	return fmt.Sprintf("median %v, 99th percentile %v", delays[len(delays)/2], delays[len(delays)*99/100])
}

// Clients that send a byte a second and clients that never read take nothing
// from the others, and are gone in the end.
func TestSlowClientsHarmNobody(t *testing.T) {
	s := startLarge(t, open(), listen(t))
	t.Logf("without them: %s", ofDelays(s.chatFor(t)))
	conns := make([]net.Conn, 0, 2**slowClients)
	for range *slowClients {
		sender, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		fmt.Fprint(sender, "POST /pub HTTP/1.1\r\nHost: chat\r\nContent-Length: 100000\r\n\r\n")
		reader, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		fmt.Fprint(reader, request("/large"))
		conns = append(conns, sender, reader)
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var gone atomic.Int64
	stop := make(chan struct{})
	var slow sync.WaitGroup
	for _, c := range conns {
		slow.Go(func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					if _, err := c.Write([]byte("x")); err != nil {
						gone.Add(1)
						return
					}
				case <-stop:
					return
				}
			}
		})
	}
	t.Logf("with %d of each: %s", *slowClients, ofDelays(s.chatFor(t)))
	if *slowGone {
		began := time.Now()
		require.Eventually(t, func() bool { return gone.Load() == int64(len(conns)) }, 2*time.Minute, time.Second)
		t.Logf("all gone after %v more", time.Since(began).Round(time.Second))
	}
	close(stop)
	for _, c := range conns {
		c.Close()
	}
	slow.Wait()
}
