package browser_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutter is an address that leads to another one, over connections that can be cut.
type cutter struct {
	net.Listener
	to string

	openMu sync.Mutex                // guards open
	open   map[net.Conn]*atomic.Bool // whether it passes nothing on any more
}

// startCutter starts one before host:port. It ends with the test.
func startCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{Listener: l, to: to, open: make(map[net.Conn]*atomic.Bool)}
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

// hold has all connections pass nothing on any more, and stay open, as those of a computer that slept may. New ones
// are passed on.
func (c *cutter) hold() {
	c.openMu.Lock()
	defer c.openMu.Unlock()
	for _, held := range c.open {
		held.Store(true)
	}
}

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
	held := new(atomic.Bool)
	c.open[near] = held
	c.openMu.Unlock()
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		for part := make([]byte, 32<<10); ; {
			n, err := from.Read(part)
			if err == nil && !held.Load() {
				_, err = to.Write(part[:n])
			}
			if err != nil {
				_, _ = near.Close(), far.Close()
				return
			}
		}
	}
	both.Go(func() { pass(far, near) })
	both.Go(func() { pass(near, far) })
	both.Wait()
	c.openMu.Lock()
	defer c.openMu.Unlock()
	delete(c.open, near)
}
