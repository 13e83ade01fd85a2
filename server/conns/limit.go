package conns

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"pubsub/server/address"
	"pubsub/server/fairshare"
	"pubsub/server/web"
)

// The number of open connections is limited for each address. The total is limited by the
// descriptors that the process may have. When the total is reached, the address that has most
// connections loses one. So an address with few connections is not kept out by one with many.

// holding is a connection in the counts.
type holding = fairshare.Holding[netip.Addr, *Conn]

// limitsOf returns the address of a connection and its limits. A connection on a Unix socket
// has no address, so only the total limits it. A connection in memory takes no descriptor, so
// nothing limits it.
func (o *Conns) limitsOf(c *Conn) (who netip.Addr, perAddress, total int) {
	switch peer := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		return address.Host(peer.AddrPort().Addr()), o.perAddress, o.total
	case *net.UnixAddr:
		return netip.Addr{}, 0, o.total
	}
	return netip.Addr{}, 0, 0
}

// enter counts a connection until leave, or returns the [web.Problem] of the limit that is
// reached. If another connection is displaced, the caller closes that one.
func (o *Conns) enter(c *Conn) (displaced *Conn, err error) {
	who, perAddress, total := o.limitsOf(c)
	o.mu.Lock()
	defer o.mu.Unlock()
	if fairshare.Reached(o.open.Weights.Of(who), perAddress) {
		return nil, web.TooMany("connections-per-address", web.Soon, "%d connections are open from your address, as many as one may have. Close some.", perAddress)
	}
	if fairshare.Reached(o.open.Weights.Total(), total) {
		if displaced = o.displace(who); displaced == nil {
			return nil, web.Full("connections", "The server has %d connections open, as many as it may. Come back in a moment.", total)
		}
	}
	c.holding = o.open.Add(who, c, 1)
	return displaced, nil
}

// CountForClient counts the connection of a request for the client's address until
// [Conns.CountForPeer]. It does so behind a proxy only, where otherwise the proxy would always
// have most connections. With HTTP/2 nothing changes, as one connection has requests of many
// clients.
func (o *Conns) CountForClient(r *http.Request, who netip.Addr) {
	if c := Of(r); c != nil && !o.bounded && r.ProtoMajor < 2 {
		o.countFor(who, c)
	}
}

// CountForPeer is called when the handler of a request has returned. A connection that was
// taken over still counts for the client's address. For a request that waits, see
// [Exchange.Send].
func (o *Conns) CountForPeer(r *http.Request) {
	if s := stintOf(r); s != nil && r.ProtoMajor < 2 && !s.over.Load() {
		o.countPeer(s.conn)
	}
}

// countForPeer counts a connection for the address at its other end.
func (o *Conns) countPeer(c *Conn) {
	if !o.bounded {
		peer, _, _ := o.limitsOf(c)
		o.countFor(peer, c)
	}
}

func (o *Conns) countFor(who netip.Addr, c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open.Remove(c.holding) { // false if the connection was displaced
		c.holding = o.open.Add(who, c, 1)
	}
}

// displace returns a connection of the address that has most, and stops counting it. It
// returns nil if a new connection would give who as many. mu is held.
func (o *Conns) displace(who netip.Addr) *Conn {
	victim, most := o.open.Weights.Largest()
	if o.open.Weights.Of(who)+1 >= most {
		return nil
	}
	c := o.oldest(victim)
	o.open.Remove(c.holding)
	return c
}

// lookedAt bounds the search for an unused connection. An address may have thousands, and
// nobody can connect during the search.
const lookedAt = 100

// oldest returns the connection of an address that is to be displaced. Among the first
// [lookedAt] that is the oldest without a handler. If all of them have one, it is the oldest
// of all. mu is held.
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

// leave stops counting a connection. It does nothing for a connection that is not counted.
func (o *Conns) leave(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open.Remove(c.holding)
}

// admit tells whether a connection is within the limits. If not, admit answers and closes it.
// It must not wait, because the goroutine that accepts calls it.
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

// turnAwayFor bounds the write of turnAway on a connection in memory, which has no buffer.
const turnAwayFor = 10 * time.Millisecond

// turnAway answers a connection before its first request, and closes it. On a socket that
// does not wait, because the buffer of a new one has room for so short an answer.
func (o *Conns) turnAway(c *Conn, err error) {
	answer := o.responder.ProblemForConn(err, c.RemoteAddr()).Response()
	if c.socket != nil {
		_, _ = c.socket.tryWrite(answer) // if it fails, nobody can be told
	} else {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(turnAwayFor))
		_, _ = c.Conn.Write(answer)
	}
	_ = c.Close()
}

// hangUp closes a displaced connection. Its client is not told why, because the error could
// end up in the middle of an answer.
func (o *Conns) hangUp(c *Conn) {
	const reason = "connections"
	if o.responder.Refusals.Count(reason, slog.LevelInfo) {
		o.responder.Log.Info("hung up", "reason", reason, "address", c.RemoteAddr(),
			"error", "the server is full, and this address has most of the connections")
	}
	_ = c.Close()
}
