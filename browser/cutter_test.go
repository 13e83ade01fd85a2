package browser_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"pubsub/internal/pubsubtest"
)

// cutter is an address that leads to another one, over connections that can be cut.
type cutter struct {
	addr string

	openMu sync.Mutex                // guards open
	open   map[net.Conn]*atomic.Bool // whether it passes nothing on any more
}

// startCutter starts one before host:port. It ends with the test.
func startCutter(t *testing.T, to string) *cutter {
	c := &cutter{open: make(map[net.Conn]*atomic.Bool)}
	c.addr = pubsubtest.Proxy(t, to, c.serve)
	return c
}

func (c *cutter) url() string { return "http://" + c.addr }

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

func (c *cutter) serve(near, far net.Conn) {
	held := new(atomic.Bool)
	c.openMu.Lock()
	c.open[near] = held
	c.openMu.Unlock()
	pubsubtest.BothWays(near, far, func(to, from net.Conn) {
		for part := make([]byte, 32<<10); ; {
			n, err := from.Read(part)
			if err == nil && !held.Load() {
				_, err = to.Write(part[:n])
			}
			if err != nil {
				return
			}
		}
	})
	c.openMu.Lock()
	defer c.openMu.Unlock()
	delete(c.open, near)
}
