package clients_test

import (
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"pubsub/internal/pubsubtest"
)

// cutter is an address that leads to another one, over connections that are cut after a
// while or in the midst of an answer.
type cutter struct {
	calm atomic.Bool  // whether new connections are left alone
	cuts atomic.Int64 // or connections that ended when they would have been cut
}

// startCutter returns the URL of a proxy before a server. It ends with the test.
func startCutter(t *testing.T, to string) (*cutter, string) {
	c := new(cutter)
	return c, "http://" + pubsubtest.Proxy(t, to, c.serve)
}

// serve passes on what comes until the connection's time or number of bytes is over.
func (c *cutter) serve(near, far net.Conn) {
	bytes, limit := rand.Int64N(20_000), time.Duration(rand.Int64N(int64(2*time.Second)))
	if c.calm.Load() {
		bytes, limit = math.MaxInt64, time.Hour
	}
	timer := time.AfterFunc(limit, func() {
		c.cuts.Add(1)
		_, _ = near.Close(), far.Close()
	})
	defer timer.Stop()
	pubsubtest.BothWays(near, far, func(to, from net.Conn) {
		if to == far {
			_, _ = io.Copy(to, from)
		} else if n, _ := io.CopyN(to, from, bytes); n == bytes {
			c.cuts.Add(1)
		}
	})
}
