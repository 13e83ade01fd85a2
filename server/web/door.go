package web

import (
	"net/http"
	"sync"
)

// Door lets requests in, or answers them: those for another host, from a page of another
// origin, and preflights.
type Door struct {
	responder *Responder
	hosts     hosts
	origins   *origins
	warned    sync.Once // of a proxy that is not believed
}

// NewDoor takes hosts and origins as the settings have them.
func NewDoor(allowedHosts, allowedOrigins []string, responder *Responder) *Door {
	return &Door{responder: responder, hosts: newHosts(allowedHosts), origins: newOrigins(allowedOrigins)}
}

// Receive does what is the same for every request, and tells whether it has answered it.
func (d *Door) Receive(w http.ResponseWriter, r *http.Request) (answered bool) {
	if id := requestID(r); id != nil {
		w.Header()["X-Request-Id"] = id
	}
	if r.URL.Path == "" { // of http://host
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
