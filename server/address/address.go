// Package address finds the address of a request, with and without proxies.
package address

import (
	"net/http"
	"net/netip"
	"strings"
)

// Source finds the address of a request. The zero value trusts no proxy. It is safe for
// concurrent use.
type Source struct {
	TrustedHops int // number of proxies in front, each of which adds an entry to X-Forwarded-For
}

// Of returns the address of a request for limits. It is that of [Source.Exactly], or the /64
// of an IPv6 address, because one host has all of that.
func (s Source) Of(r *http.Request) netip.Addr { return Host(s.Exactly(r)) }

// Exactly returns the address of a request: that of the peer, or the one that trusted proxies
// tell. It is the zero Addr if the peer has no IP address.
func (s Source) Exactly(r *http.Request) netip.Addr {
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
	return address.Unmap()
}

// Host returns an IPv4 address as it is, and the first address of the /64 of an IPv6 address.
func Host(address netip.Addr) netip.Addr { return masked(address, 64) }

// IsForwarded tells whether a proxy has added headers about the client.
func IsForwarded(h http.Header) bool { return len(h["Forwarded"]) > 0 || len(h["X-Forwarded-For"]) > 0 }

// ForwardedFor returns the clients in a Forwarded header (RFC 7239). It drops ports, because
// a client has another port for each connection.
func ForwardedFor(h http.Header) (nodes []string) {
	separates := func(c rune) bool { return c == ',' || c == ';' }
	for pair := range strings.FieldsFuncSeq(strings.Join(h["Forwarded"], ","), separates) {
		name, node, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		node = strings.Trim(node, `"`)
		if address, ok := parseAddress(node); ok {
			node = address.String()
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// NetworkOf returns the owner of the messages of a request: its address, or the /48 of an
// IPv6 address. A client with one /64 often has a whole /56 or /48, and could otherwise fill
// the log as many owners.
func (s Source) NetworkOf(r *http.Request) netip.Addr { return masked(s.Exactly(r), 48) }

// masked keeps only the first bits of an IPv6 address.
func masked(address netip.Addr, bits int) netip.Addr {
	if address = address.Unmap(); address.Is6() {
		network, _ := address.WithZone("").Prefix(bits) // cannot fail for an IPv6 address
		return network.Addr()
	}
	return address
}

// parseAddress parses an address with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr(), true
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return address, err == nil
}
