package server_test

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server"
)

var crowdClients = flag.Int("crowd.clients", 2000, "clients that wait at the same time, on connections in memory")

// inUse is the memory in use after a collection, in bytes.
func inUse() (heap, stacks int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// More clients wait than this machine has sockets: the real handler, bus and
// log on connections in memory. All get one message, then all leave.
func TestCrowdInMemory(t *testing.T) {
	config := open()
	config.MaxPolls, config.MaxPollsPerChannel = 0, 0
	s, err := server.New(config, static, page, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, nil) }()
	defer func() {
		stop()
		require.NoError(t, <-served)
		require.NoError(t, s.Close())
		// zmq4 takes its time over so many: it looks for each through all.
		stacks := make([]byte, 1<<20)
		require.Eventually(t, func() bool {
			return !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("connReaper"))
		}, time.Minute, 100*time.Millisecond)
	}()
	ask := func(path string) string {
		c := l.dial()
		defer c.Close()
		_, err := io.WriteString(c, path+" HTTP/1.1\r\nHost: chat\r\n\r\n")
		require.NoError(t, err)
		_, body := answer(t, c)
		return body
	}
	polling := func(n int) {
		want := fmt.Sprintf("polling = %d\n", n)
		require.Eventually(t, func() bool { return strings.HasPrefix(ask("GET /debug"), want) }, time.Minute, 10*time.Millisecond)
	}
	goroutines := runtime.NumGoroutine()
	heapBefore, stacksBefore := inUse()
	conns := make([]net.Conn, *crowdClients)
	began := time.Now()
	for i := range conns {
		conns[i] = l.dial()
		_, err := io.WriteString(conns[i], "GET /sub?since=now&timeout=60 HTTP/1.1\r\nHost: chat\r\n\r\n")
		require.NoError(t, err)
	}
	polling(len(conns))
	took := time.Since(began)
	heap, stacks := inUse()
	each := func(total int64) float64 { return float64(total) / float64(len(conns)) }
	t.Logf("%d wait after %v, each with %.0f bytes of heap, %.0f of stacks, %.1f goroutines", len(conns), took.Round(time.Millisecond),
		each(heap-heapBefore), each(stacks-stacksBefore), each(int64(runtime.NumGoroutine()-goroutines)))

	began = time.Now()
	ask("POST /pub?message=hi")
	answers := bufio.NewReader(nil)
	for _, c := range conns {
		answers.Reset(c)
		resp, err := http.ReadResponse(answers, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Contains(t, string(body), `"message":"hi"`)
	}
	t.Logf("all have the message after %v", time.Since(began).Round(time.Millisecond))
	for _, c := range conns {
		c.Close()
	}
	clear(conns)
	polling(0)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+10 }, 30*time.Second, 100*time.Millisecond)
	heap, stacks = inUse()
	t.Logf("all gone: %+d KiB of heap, %+d KiB of stacks", (heap-heapBefore)>>10, (stacks-stacksBefore)>>10)
	require.Less(t, heap-heapBefore, int64(5<<20+6000*len(conns)),
		"the runtime keeps its descriptors of goroutines, 2 KB for each client, and net.Pipe until its last deadline what was closed")
}
