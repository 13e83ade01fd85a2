package browser_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pubsub/internal/pubsubtest"
)

// cutter is an address that leads to another one, over connections that can be cut. Chromium's own ways to take the
// network away from a tab leave out some of what goes through a service worker.
type cutter struct {
	addr  string
	delay atomic.Int64 // of each part of what is sent

	openMu sync.Mutex                // guards the next ones
	open   map[net.Conn]*atomic.Bool // whether it passes nothing on any more
	gone   bool                      // new ones are cut at once
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
func (c *cutter) cut() { c.remain(false) }

// remain cuts all connections and says what becomes of new ones.
func (c *cutter) remain(gone bool) {
	c.openMu.Lock()
	defer c.openMu.Unlock()
	c.gone = gone
	for conn := range c.open {
		_ = conn.Close()
	}
}

func (c *cutter) serve(near, far net.Conn) {
	held := new(atomic.Bool)
	if !c.enter(near, held) {
		return
	}
	pubsubtest.BothWays(near, far, func(to, from net.Conn) {
		for part := make([]byte, 32<<10); ; {
			n, err := from.Read(part)
			if delay := c.delay.Load(); delay > 0 {
				<-time.After(time.Duration(delay))
			}
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

func (c *cutter) enter(near net.Conn, held *atomic.Bool) (ok bool) {
	c.openMu.Lock()
	defer c.openMu.Unlock()
	if !c.gone {
		c.open[near] = held
	}
	return !c.gone
}
