package access

import (
	"context"
	"net/netip"
	"time"

	"pubsub/server/rates"
	"pubsub/server/web"
)

const (
	// connectionCost is for how many requests a new connection counts.
	connectionCost = 5
	// handshakeCost is for how many connections one with TLS counts.
	handshakeCost = 4
	// connectionBurst is the burst of connections, in seconds at their rate.
	connectionBurst = 0.1
	// longestBegin is how long a connection waits at most because its address begins too
	// many. All that an address may have by default fit into it, with TLS, too.
	longestBegin = 5 * time.Second
)

// PaceConnection delays a new connection whose address begins more than a fifth of the
// request rate a second, or a twentieth with TLS. Otherwise the first requests of a thousand
// connections, or their handshakes, would come before anybody else's. The error is a
// [web.Problem] if the connection would have to wait for too long, or that of ctx if it ends.
func (c *Control) PaceConnection(ctx context.Context, address netip.Addr, secure bool) error {
	cost := 1.0
	if secure {
		cost = handshakeCost
	}
	wait, ok := c.connections.Promise(address, cost, longestBegin)
	if !ok {
		return web.TooMany("connection-rate", rates.ComeBack(wait), "Your address opens connections faster than this server begins them, and as many as may wait do. Wait a moment, and keep connections open for the next request.")
	}
	if wait == 0 {
		return nil
	}
	c.tellDelayed(address)
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		c.connections.GiveBack(address, cost)
		return ctx.Err()
	}
}
