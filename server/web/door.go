package web

import (
	"net/http"
	"sync"
)

// Door checks a request before any endpoint has it. It refuses requests for another host
// and from pages of another origin, and it answers preflights. It is safe for concurrent
// use.
type Door struct {
	responder *Responder
	hosts     hosts
	origins   *origins
	warned    sync.Once // of a proxy that is not trusted
}

// NewDoor returns a door for the hosts and origins of the settings, which have checked
// them. It panics if an origin is malformed.
func NewDoor(allowedHosts, allowedOrigins []string, responder *Responder) *Door {
	return &Door{responder: responder, hosts: newHosts(allowedHosts), origins: newOrigins(allowedOrigins)}
}

// Receive does what is the same for every request. If answered is true, no endpoint may
// have the request.
func (d *Door) Receive(w http.ResponseWriter, r *http.Request) (answered bool) {
	if id := requestID(r); id != nil {
		w.Header()["X-Request-Id"] = id
	}
	if r.URL.Path == "" { // a request for http://host
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

// Private returns a handler that answers only those who ask for an IP address, localhost, or
// a host of the settings: what no page of a stranger may read (see [hosts]).
func (d *Door) Private(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := d.hosts.checkOwn(r); err != nil {
			d.responder.Error(w, r, err)
			return
		}
		h(w, r)
	}
}

func (d *Door) check(w http.ResponseWriter, r *http.Request) (answered bool, err error) {
	if err := d.hosts.check(r); err != nil {
		return false, err
	}
	return d.origins.check(w, r)
}

func (d *Door) warnOfForwarded() {
	d.responder.Log.Warn("requests come through a proxy whose X-Forwarded-For is not believed, so all of its clients count as one address: " +
		"if it is yours, set trusted-hops to the number of proxies in front, such as PUBSUB_TRUSTED_HOPS=1")
}
