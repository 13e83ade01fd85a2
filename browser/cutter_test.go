package browser_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutter is an address that leads to another one, over connections that can be cut.
type cutter struct {
	net.Listener
	to string

	openMu sync.Mutex // guards open
	open   map[net.Conn]struct{}
}

// startCutter starts one before host:port. It ends with the test.
func startCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{Listener: l, to: to, open: make(map[net.Conn]struct{})}
	var ended sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		ended.Wait()
	})
	ended.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			ended.Go(func() { c.serve(near) })
		}
	})
	return c
}

func (c *cutter) url() string { return "http://" + c.Addr().String() }

// cut cuts all connections. New ones are passed on as before.
func (c *cutter) cut() {
	c.openMu.Lock()
	defer c.openMu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
}

func (c *cutter) serve(near net.Conn) {
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = near.Close()
		return
	}
	c.openMu.Lock()
	c.open[near] = struct{}{}
	c.openMu.Unlock()
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = near.Close(), far.Close()
	}
	both.Go(func() { pass(far, near) })
	both.Go(func() { pass(near, far) })
	both.Wait()
	c.openMu.Lock()
	defer c.openMu.Unlock()
	delete(c.open, near)
}
