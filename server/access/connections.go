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
	// handshakeCost is for how many connections a connection with TLS counts.
	handshakeCost = 4
	// connectionBurst is the burst of connections, in seconds at their rate.
	connectionBurst = 0.1
	// longestBegin is how long a connection may wait because its address opens too many. All
	// that an address may have by default fit in it, even with TLS.
	longestBegin = 5 * time.Second
)

// PaceConnection delays a new connection if its address opens more than a fifth of the
// request rate a second, or a twentieth with TLS. Otherwise a thousand connections would be
// served before other clients, or their handshakes would. The error is a [web.Problem] if the
// wait would be too long, or that of ctx if it ends.
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
