package access

import (
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/shares"
	"pubsub/server/web"
)

// bodies counts requests whose body may be on its way. Its zero value is empty.
type bodies struct {
	mu        sync.Mutex
	byAddress shares.Shares[netip.Addr]
}

// AdmitBody counts a request that has a body, until leave is called. With HTTP/1.1 a
// connection has one request at a time, and connections are limited. With HTTP/2 it has
// hundreds: an address may have as many of them as it may have connections. The error is a
// [web.Problem].
func (c *Control) AdmitBody(r *http.Request) (leave func(), err error) {
	address, limit := c.Source.Of(r), c.settings.MaxConnectionsPerAddress
	c.bodies.mu.Lock()
	defer c.bodies.mu.Unlock()
	if web.Reached(c.bodies.byAddress.Of(address), limit) {
		return nil, web.TooMany("bodies-per-address", web.Soon, "%d requests of your address are on their way, as many as one may have. Let some end.", limit)
	}
	c.bodies.byAddress.Add(address, 1)
	return func() {
		c.bodies.mu.Lock()
		defer c.bodies.mu.Unlock()
		c.bodies.byAddress.Add(address, -1)
	}, nil
}
