package web

import (
	"net/http"
	"net/netip"
	"strings"

	"pubsub/server/asynclog"
)

// hosts are the names that a request's Host may have; nil allows any. They protect against
// DNS rebinding, where the owner of a page makes its domain resolve to this server's address.
// A browser takes both for the same origin then, but the Host is still that domain.
type hosts map[string]struct{}

// newHosts returns the hosts of the settings, which must have been checked.
func newHosts(allowed []string) hosts {
	if len(allowed) == 0 {
		return nil
	}
	h := make(hosts, len(allowed))
	for _, host := range allowed {
		h[strings.ToLower(host)] = struct{}{}
	}
	return h
}

// check refuses a request for another host. Health checks may have any, because operators
// send them to an IP address.
func (h hosts) check(r *http.Request) error {
	if h == nil || IsHealthCheck(r) {
		return nil
	}
	host := strings.ToLower(r.Host)
	if h.has(host) || h.has(withoutPort(host)) {
		return nil
	}
	return notAsked(r)
}

// checkOwn refuses a request for a host that may be another domain: any but an IP address,
// localhost, and the hosts of the settings.
func (h hosts) checkOwn(r *http.Request) error {
	host := withoutPort(strings.ToLower(r.Host))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" || h.has(host) {
		return nil
	}
	return notAsked(r)
}

func notAsked(r *http.Request) error {
	return &Problem{Status: http.StatusForbidden, Reason: "host", Text: "This server is not to be asked for as " + asynclog.Cut(r.Host, Quoted) +
		". Whoever runs it can allow that in PUBSUB_ALLOWED_HOSTS."}
}

// IsHealthCheck tells whether a request asks for the health of the server.
func IsHealthCheck(r *http.Request) bool {
	return r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
}

func (h hosts) has(host string) bool {
	_, ok := h[host]
	return ok
}

// withoutPort removes the port. The brackets of an IPv6 address stay.
func withoutPort(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return host[:colon]
	}
	return host
}
