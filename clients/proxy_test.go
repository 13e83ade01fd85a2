package clients_test

import (
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cutter is an address that leads to another one, over connections that are cut after a
// while or in the midst of an answer.
type cutter struct {
	net.Listener
	to   string
	calm atomic.Bool  // whether new connections are left alone
	cuts atomic.Int64 // or connections that ended when they would have been cut
}

// startCutter returns the URL of a proxy before a server. It ends with the test.
func startCutter(t *testing.T, to string) (*cutter, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{Listener: l, to: to}
	var ended sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
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
	return c, "http://" + l.Addr().String()
}

// serve passes on what comes until the connection's time or number of bytes is over.
func (c *cutter) serve(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	bytes, limit := rand.Int64N(20_000), time.Duration(rand.Int64N(int64(2*time.Second)))
	if c.calm.Load() {
		bytes, limit = math.MaxInt64, time.Hour
	}
	hangUp := func() { _, _ = near.Close(), far.Close() }
	timer := time.AfterFunc(limit, func() {
		c.cuts.Add(1)
		hangUp()
	})
	defer timer.Stop()
	var both sync.WaitGroup
	both.Go(func() {
		defer hangUp()
		_, _ = io.Copy(far, near)
	})
	both.Go(func() {
		defer hangUp()
		if n, _ := io.CopyN(near, far, bytes); n == bytes {
			c.cuts.Add(1)
		}
	})
	both.Wait()
}
