package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/fairshare"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// refusedPart bounds the requests of an address that are under way beyond the limit, to be
// refused: a quarter of the limit. The server hangs up on more, because a client that does
// not read could have any number.
const refusedPart = 4

// requests counts the requests under way, by address. The zero value is empty.
type requests struct {
	mu        sync.Mutex // guards byAddress; no other lock is taken under it
	byAddress map[netip.Addr]int
}

// EnterRequest counts a request of an address as under way until LeaveRequest. An address may
// have as many requests as connections: with HTTP/2 one connection has hundreds of requests,
// and behind a proxy connections are not the client's. If the address has more, the error is a
// [web.Problem]. If counted is false it has so many that the server must hang up.
func (c *Control) EnterRequest(r *http.Request, address netip.Addr) (counted bool, err error) {
	limit := mostUnderWay(c.settings)
	if !address.IsValid() { // shared by all clients of a Unix socket, or in memory
		limit = 0
	}
	c.underWay.mu.Lock()
	defer c.underWay.mu.Unlock()
	n := c.underWay.byAddress[address]
	if fairshare.Reached(n, limit) {
		err = &web.Problem{Status: http.StatusTooManyRequests, Reason: "requests-per-address", RetryAfter: web.Soon, Close: r.ProtoMajor < 2,
			Text: fmt.Sprintf("%d requests of your address are under way, as many as one may have. Let some end.", limit)}
		if n >= limit+max(limit/refusedPart, 1) {
			return false, err
		}
	}
	if c.underWay.byAddress == nil {
		c.underWay.byAddress = make(map[netip.Addr]int)
	}
	c.underWay.byAddress[address] = n + 1
	return true, err
}

// mostUnderWay returns how many requests one address may have under way, 0 for no limit.
// Behind proxies, a higher limit of polls raises it.
func mostUnderWay(s *settings.Settings) int {
	limit := s.MaxConnectionsPerAddress
	switch {
	case s.TrustedHops == 0 || limit == 0:
		return limit
	case s.MaxPollsPerAddress == 0:
		return 0
	}
	return max(limit, s.MaxPollsPerAddress+s.MaxPollsPerAddress/5)
}

// LeaveRequest ends a request that was counted.
func (c *Control) LeaveRequest(address netip.Addr) {
	c.underWay.mu.Lock()
	defer c.underWay.mu.Unlock()
	if c.underWay.byAddress[address]--; c.underWay.byAddress[address] == 0 {
		delete(c.underWay.byAddress, address)
	}
}
