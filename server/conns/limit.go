package server

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"pubsub/server/address"
	"pubsub/server/machine"
	"pubsub/server/settings"
	"pubsub/server/shares"
)

// connections bounds how many connections are open: of one address, and in all,
// so that there is always a descriptor for the next. When all are taken, who has
// most makes room: an address with few is not kept out because others have many.
type connections struct {
	perAddress int // 0 is no limit, as behind a proxy that brings everybody
	total      int // 0 is no limit

	mu   sync.Mutex // guards the next one, and conn.held
	open shares.Holdings[netip.Addr, *conn]
}

type heldConn = shares.Holding[netip.Addr, *conn]

func newConnections(config *settings.Settings) *connections {
	o := new(connections)
	if config.TrustedHops == 0 {
		o.perAddress = config.MaxConnectionsPerAddress
	}
	if n := machine.Descriptors(); n > 0 {
		o.total = max(n-settings.SpareDescriptors, 1)
	}
	return o
}

// limitsOf tells whose connection it is, and how many may be open with it. Those on
// a Unix socket are nobody's; those in memory take no descriptor.
func (o *connections) limitsOf(c *conn) (who netip.Addr, perAddress, total int) {
	switch peer := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		return address.Host(peer.AddrPort().Addr()), o.perAddress, o.total
	case *net.UnixAddr:
		return netip.Addr{}, 0, o.total
	}
	return netip.Addr{}, 0, 0
}

// admit counts a connection until it leaves, or says which limit it is over. The
// caller closes the one that is displaced, if any is.
func (o *connections) admit(c *conn) (displaced *conn, err error) {
	who, perAddress, total := o.limitsOf(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	if reached(o.open.Weights.Of(who), perAddress) {
		return nil, tooMany("connections-per-address", soon(), "%d connections are open from your address, as many as one may have. Close some.", perAddress)
	}
	if reached(o.open.Weights.Total(), total) {
		if displaced = o.displace(who); displaced == nil {
			return nil, full("connections", "The server has %d connections open, as many as it may. Come back in a moment.", total)
		}
	}
	c.held = o.open.Add(who, c, 1)
	return displaced, nil
}

// displace takes a connection from who has most of them, nil if that is not more
// than who has with one more. mu is held.
func (o *connections) displace(who netip.Addr) *conn {
	victim, most := o.open.Weights.Largest()
	if o.open.Weights.Of(who)+1 >= most {
		return nil
	}
	c := o.oldest(victim)
	o.open.Remove(c.held)
	return c
}

// lookedAt is among how many connections one is looked for that nobody uses.
// Somebody may have thousands of polls, and everybody waits for this.
const lookedAt = 100

// oldest is an address's oldest connection that is without a request, if a short
// look finds one, else the oldest of all. mu is held.
func (o *connections) oldest(who netip.Addr) (found *conn) {
	looked := 0
	for held := range o.open.Of(who) {
		if !held.Thing.handled.Load() {
			return held.Thing
		}
		if found == nil {
			found = held.Thing
		}
		if looked++; looked == lookedAt {
			break
		}
	}
	return found
}

// leave counts a connection no more. It may be called again, and for one that was
// never admitted.
func (o *connections) leave(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open.Remove(c.held)
}

func (o *connections) gauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pubsub_connections", Help: "Connections that are open.",
	}, func() float64 {
		o.mu.Lock()
		defer o.mu.Unlock()
		return float64(o.open.Weights.Total())
	})
}

// admitConn tells whether a connection may stay. It is called by the goroutine
// that accepts.
func (s *Server) admitConn(c *conn) bool {
	displaced, err := s.connections.admit(c)
	if err != nil {
		s.turnAway(c, problemOf(err))
		return false
	}
	if displaced != nil {
		s.hangUp(displaced)
	}
	return true
}

// turnAwayFor is for a connection that is no socket after all.
const turnAwayFor = 10 * time.Millisecond

// turnAway answers a connection before it asks. It waits for nobody: a new socket
// has room for so short an answer.
func (s *Server) turnAway(c *conn, p problem) {
	s.refuseUnhandled(c.RemoteAddr(), &p)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(turnAwayFor))
	_, _ = c.Conn.Write(p.response()) // nobody to tell if that fails
	_ = c.Close()
}

// hangUp closes a connection whose place is needed. It is told nothing, since what
// it might be told could stand in the middle of an answer.
func (s *Server) hangUp(c *conn) {
	p := &problem{status: http.StatusServiceUnavailable, reason: "connections",
		text: "the server is full, and this address has most of the connections"}
	if s.countRefusal(p, slog.LevelInfo) {
		s.log.Info("hung up", "reason", p.reason, "address", c.RemoteAddr(), "error", p)
	}
	_ = c.Close()
}
