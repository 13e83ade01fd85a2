package web

import (
	"net/http"
	"sync"
)

// Guard checks each request first. It refuses requests for another host or from pages of
// another origin, and answers preflights. Make it with [NewGuard]. It is safe for concurrent
// use.
type Guard struct {
	responder *Responder
	hosts     hosts
	origins   *origins
	warned    sync.Once // about a proxy that is not trusted
}

// NewGuard returns a guard for the hosts and origins of the settings, which must have been
// checked. It panics if an origin is malformed.
func NewGuard(allowedHosts, allowedOrigins []string, responder *Responder) *Guard {
	return &Guard{responder: responder, hosts: newHosts(allowedHosts), origins: newOrigins(allowedOrigins)}
}

// Receive does what all requests have in common. If answered is true, no endpoint may handle
// the request.
func (d *Guard) Receive(w http.ResponseWriter, r *http.Request) (answered bool) {
	if id := requestID(r); id != nil {
		w.Header()["X-Request-Id"] = id
	}
	if r.URL.Path == "" { // the request was for http://host
		r.URL.Path = "/"
	}
	if d.responder.Source.TrustedHops == 0 && len(r.Header["X-Forwarded-For"]) > 0 {
		d.warned.Do(d.warnOfForwarded)
	}
	answered, err := d.check(w, r)
	if err != nil {
		d.responder.Error(w, r, err)
		return true
	}
	return answered
}

// Private returns a handler for answers that no page of another domain may read. The Host
// must be an IP address, localhost, or a host of the settings, see [hosts].
func (d *Guard) Private(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := d.hosts.checkOwn(r); err != nil {
			d.responder.Error(w, r, err)
			return
		}
		h(w, r)
	}
}

func (d *Guard) check(w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	if err := d.hosts.check(r); err != nil {
		return false, err
	}
	return d.origins.check(w, r)
}

func (d *Guard) warnOfForwarded() {
	d.responder.Log.Warn("requests come through a proxy whose X-Forwarded-For is not believed, so all of its clients count as one address: " +
		"if it is yours, set trusted-hops to the number of proxies in front, such as PUBSUB_TRUSTED_HOPS=1")
}
