package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"pubsub/server/asynclog"
)

// origins decides which web pages may use the server: its own, and those of allowed origins.
type origins struct {
	any        bool // "*" is one of allowed
	allowed    []string
	protection *http.CrossOriginProtection
}

// newOrigins returns the origins of the settings, which must have been checked.
func newOrigins(allowed []string) *origins {
	o := &origins{allowed: allowed, protection: http.NewCrossOriginProtection()}
	for _, origin := range allowed {
		if origin == "*" {
			o.any = true
		} else if err := o.protection.AddTrustedOrigin(origin); err != nil {
			panic(err) // the settings check each origin in the same way
		}
	}
	return o
}

// IsWebSocket tells whether a request asks for a WebSocket.
func IsWebSocket(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// refuseOrigin returns an error that names the origin and the Host, which do not match.
// Behind a proxy that does not pass on the Host, the server's own pages are refused, too.
// Both names show why.
func refuseOrigin(r *http.Request) error {
	origin := cmp.Or(r.Header.Get("Origin"), "another origin")
	return Refuse(http.StatusForbidden,
		"Pages of %s may not use this server, which is asked for as %s. Whoever runs it can allow them in PUBSUB_ALLOWED_ORIGINS, or have a proxy in front pass on the Host.",
		asynclog.Cut(origin, Quoted), asynclog.Cut(r.Host, Quoted))
}

// check refuses posts and WebSockets from pages of other origins. It sets the headers that
// tell a browser which pages may read the answer (CORS), and answers preflights.
func (o *origins) check(w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	origin := r.Header.Get("Origin")
	if len(o.allowed) > 0 {
		w.Header().Add("Vary", "Origin")
	}
	allowed := o.any || slices.Contains(o.allowed, origin)
	if origin != "" && allowed {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After, "+errorHeader)
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		if !allowed {
			return false, refuseOrigin(r)
		}
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, X-Client-ID, X-Request-ID")
		w.Header().Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return true, nil
	}
	if IsWebSocket(r) { // checked like a post, because a page of another origin can open a WebSocket and read it
		asPost := *r
		asPost.Method = http.MethodPost
		r = &asPost
	}
	if !o.any && o.protection.Check(r) != nil {
		return false, refuseOrigin(r)
	}
	return false, nil
}
