package access

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/settings"
	"pubsub/server/web"
)

// refusedPart is what part of the requests that an address may have under way may be there
// beyond them, to be told so. Those beyond that must go at once: who does not read would
// have the server keep any number.
const refusedPart = 4

// requests counts those that are under way, by address. Its zero value is empty.
type requests struct {
	mu        sync.Mutex
	byAddress map[netip.Addr]int
}

// EnterRequest counts a request as under way until LeaveRequest. With HTTP/1.1 a connection
// has one at a time, and connections are limited. But with HTTP/2 it has hundreds, and
// behind a proxy no connection is the client's: so an address may have as many requests as
// it may have connections. If it has more, the error is a [web.Problem]. If counted is
// false, there are so many that the request must go at once.
func (c *Control) EnterRequest(r *http.Request) (counted bool, err error) {
	address, limit := c.Source.Of(r), mostUnderWay(c.settings)
	if !address.IsValid() { // all who share a Unix socket, or a pipe in memory
		limit = 0
	}
	c.underWay.mu.Lock()
	defer c.underWay.mu.Unlock()
	n := c.underWay.byAddress[address]
	if web.Reached(n, limit) {
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

// mostUnderWay is how many requests one address may have under way, 0 for no limit. Behind
// proxies its connections are not limited, so whoever lets it have more polls means their
// requests, too.
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

// LeaveRequest is the end of a request that was counted.
func (c *Control) LeaveRequest(r *http.Request) {
	address := c.Source.Of(r)
	c.underWay.mu.Lock()
	defer c.underWay.mu.Unlock()
	if c.underWay.byAddress[address]--; c.underWay.byAddress[address] == 0 {
		delete(c.underWay.byAddress, address)
	}
}
