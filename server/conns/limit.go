package conns

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"pubsub/server/address"
	"pubsub/server/shares"
	"pubsub/server/web"
)

// How many connections are open is bounded: of one address, and in all, so that there
// is always a descriptor for the next. When all are taken, who has most makes room: an
// address with few is not kept out because others have many.

// holding is a connection's place among all.
type holding = shares.Holding[netip.Addr, *Conn]

// limitsOf tells whose connection it is, and how many may be open with it. Those on
// a Unix socket are nobody's; those in memory take no descriptor.
func (o *Conns) limitsOf(c *Conn) (who netip.Addr, perAddress, total int) {
	switch peer := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		return address.Host(peer.AddrPort().Addr()), o.perAddress, o.total
	case *net.UnixAddr:
		return netip.Addr{}, 0, o.total
	}
	return netip.Addr{}, 0, 0
}

// enter counts a connection until it leaves, or says which limit it is over. The
// caller closes the one that is displaced, if any is.
func (o *Conns) enter(c *Conn) (displaced *Conn, err error) {
	who, perAddress, total := o.limitsOf(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	if web.Reached(o.open.Weights.Of(who), perAddress) {
		return nil, web.TooMany("connections-per-address", web.Soon, "%d connections are open from your address, as many as one may have. Close some.", perAddress)
	}
	if web.Reached(o.open.Weights.Total(), total) {
		if displaced = o.displace(who); displaced == nil {
			return nil, web.Full("connections", "The server has %d connections open, as many as it may. Come back in a moment.", total)
		}
	}
	c.holding = o.open.Add(who, c, 1)
	return displaced, nil
}

// displace takes a connection from who has most of them, nil if that is not more
// than who has with one more. mu is held.
func (o *Conns) displace(who netip.Addr) *Conn {
	victim, most := o.open.Weights.Largest()
	if o.open.Weights.Of(who)+1 >= most {
		return nil
	}
	c := o.oldest(victim)
	o.open.Remove(c.holding)
	return c
}

// lookedAt is among how many connections one is looked for that nobody uses.
// Somebody may have thousands of polls, and everybody waits for this.
const lookedAt = 100

// oldest is an address's oldest connection that is without a request, if a short
// look finds one, else the oldest of all. mu is held.
func (o *Conns) oldest(who netip.Addr) (found *Conn) {
	looked := 0
	for at := range o.open.Of(who) {
		if !at.Value.handled.Load() {
			return at.Value
		}
		if found == nil {
			found = at.Value
		}
		if looked++; looked == lookedAt {
			break
		}
	}
	return found
}

// leave counts a connection no more. It may be called again, and for one that was
// never admitted.
func (o *Conns) leave(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open.Remove(c.holding)
}

// admit tells whether a connection may stay. It is called by the goroutine that
// accepts.
func (o *Conns) admit(c *Conn) bool {
	displaced, err := o.enter(c)
	if err != nil {
		o.turnAway(c, err)
		return false
	}
	if displaced != nil {
		o.hangUp(displaced)
	}
	return true
}

// turnAwayFor is for a connection that is no socket after all.
const turnAwayFor = 10 * time.Millisecond

// turnAway answers a connection before it asks. It waits for nobody: a new socket
// has room for so short an answer.
func (o *Conns) turnAway(c *Conn, err error) {
	problem := o.responder.Turned(err, c.RemoteAddr())
	_ = c.Conn.SetWriteDeadline(time.Now().Add(turnAwayFor))
	_, _ = c.Conn.Write(problem.Response()) // nobody to tell if that fails
	_ = c.Close()
}

// hangUp closes a connection whose place is needed. It is told nothing, since what
// it might be told could stand in the middle of an answer.
func (o *Conns) hangUp(c *Conn) {
	const reason = "connections"
	if o.responder.Refusals.Count(reason, slog.LevelInfo) {
		o.responder.Log.Info("hung up", "reason", reason, "address", c.RemoteAddr(),
			"error", "the server is full, and this address has most of the connections")
	}
	_ = c.Close()
}
