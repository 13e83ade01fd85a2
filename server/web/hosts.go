package web

import (
	"net/http"
	"strings"

	"pubsub/server/logs"
)

// hosts are the names under which the server may be asked for; nil is any. A page
// elsewhere can turn its own name to this server's address (DNS rebinding), and
// is of the same origin then, but cannot hide that name.
type hosts map[string]struct{}

// newHosts takes hosts that the settings have checked.
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

// check refuses a request for another host. Those who look after the process ask
// for it by an address.
func (h hosts) check(r *http.Request) error {
	if h == nil || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
		return nil
	}
	host := strings.ToLower(r.Host)
	if h.has(host) || h.has(withoutPort(host)) {
		return nil
	}
	return &Problem{Status: http.StatusForbidden, Reason: "host", Text: "This server is not to be asked for as " + logs.Cut(r.Host, Quoted) +
		". Whoever runs it can allow that in PUBSUB_ALLOWED_HOSTS."}
}

func (h hosts) has(host string) bool {
	_, ok := h[host]
	return ok
}

// withoutPort leaves the brackets of an IPv6 address.
func withoutPort(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return host[:colon]
	}
	return host
}
