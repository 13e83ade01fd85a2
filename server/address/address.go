// Package address tells whose request is whose.
package address

import (
	"net/http"
	"net/netip"
	"strings"
)

// Source finds out where requests come from.
type Source struct {
	TrustedHops int // proxies in front whose X-Forwarded-For entries are believed
}

// Of is whose request this is: the peer's address, or what the trusted proxies in
// front say of it. An IPv6 host has a whole /64, and counts as one.
func (s Source) Of(r *http.Request) netip.Addr {
	text := r.RemoteAddr
	if s.TrustedHops > 0 {
		if headers := r.Header["X-Forwarded-For"]; len(headers) > 0 {
			told := strings.Split(strings.Join(headers, ","), ",")
			text = strings.TrimSpace(told[max(0, len(told)-s.TrustedHops)])
		}
	}
	address, ok := parseAddress(text)
	if !ok {
		address, _ = parseAddress(r.RemoteAddr)
	}
	return Host(address)
}

// Host is an address, or the /64 of an IPv6 one.
func Host(address netip.Addr) netip.Addr { return masked(address, 64) }

// IsForwarded tells whether a proxy tells of a client.
func IsForwarded(h http.Header) bool { return len(h["Forwarded"]) > 0 || len(h["X-Forwarded-For"]) > 0 }

// NetworkOf is whose share of the log a request's messages are. Who has one IPv6
// network often has a /56 or /48 of them, so here these count as one.
func (s Source) NetworkOf(r *http.Request) netip.Addr { return masked(s.Of(r), 48) }

// masked is an address without what comes behind the first bits of an IPv6 one.
func masked(address netip.Addr, bits int) netip.Addr {
	if address = address.Unmap(); address.Is6() {
		network, _ := address.WithZone("").Prefix(bits) // cannot fail for an IPv6 address
		return network.Addr()
	}
	return address
}

// parseAddress reads an address with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr(), true
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return address, err == nil
}
