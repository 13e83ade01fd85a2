package access

import (
	"net/http"
	"net/netip"
	"time"

	"pubsub/server/rates"
	"pubsub/server/web"
)

// requestBurst is the burst of requests, in seconds at the request rate. It allows half
// of what an address sends when all its polls are answered at once and come again.
const requestBurst = 0.1

// readBurst is the burst of costly reads, in seconds at the read rate.
const readBurst = 5

// How many answers that tell of a restart an address gets without a delay. The burst is
// for the clients behind one address: each gets one such answer after a restart. The rate
// is for a client that gets them without end, because two processes, each with a log of
// its own, answer it in turn.
const (
	restartBurst = 15 // answers
	restartRate  = 1  // a second
)

// Probes are who looks whether the server is well. They do not wait behind others of their
// address, as long as they are few.
const (
	probeRate  = 10 // a second
	probeBurst = 50
)

// longestPace is how long a request waits at most because its address exceeds the request
// rate. Whoever waited longer would take the server for gone.
const longestPace = time.Second

// Pace delays a request whose address exceeds the request rate. It is delayed and not
// refused, because a client that never waits would send the next one at once. If it would
// be delayed for too long, the error is a [web.Problem] that refuses it. Pace panics with
// http.ErrAbortHandler if the client hangs up meanwhile: then the others of its address
// wait for less.
func (c *Control) Pace(r *http.Request) error {
	if c.requests.Rate.PerSecond > 0 && isProbe(r) {
		if _, ok := c.probes.Take(c.Source.Of(r)); ok {
			return nil
		}
	}
	return c.pace(r, 1)
}

// PaceFrame is Pace for a frame of so many bytes, which r tells the sender of. It counts as
// a request, and a long one as several, since somebody has to read all of it.
func (c *Control) PaceFrame(r *http.Request, bytes int) error {
	return c.pace(r, min(1+float64(bytes/paceBytes), c.requests.Rate.Burst))
}

// paceBytes is how much more of a frame counts as a request more.
const paceBytes = 1 << 10

func (c *Control) pace(r *http.Request, requests float64) error {
	if c.requests.Rate.PerSecond == 0 {
		return nil
	}
	address := c.Source.Of(r)
	wait, ok := c.requests.Promise(address, requests, longestPace)
	if !ok {
		return web.TooMany("request-rate", rates.ComeBack(wait), "Your address sends more than %g requests a second, and as many as may wait do. Wait a moment, and send fewer.", c.settings.RequestRate)
	}
	if wait > 0 {
		c.delay(r, address, requests, wait)
	}
	return nil
}

func isProbe(r *http.Request) bool {
	return web.IsHealthCheck(r) || r.URL.Path == "/metrics"
}

// delay waits until there is what was promised to so many requests.
func (c *Control) delay(r *http.Request, address netip.Addr, requests float64, wait time.Duration) {
	c.tellDelayed(address)
	waited := false
	defer func() {
		if !waited {
			c.requests.GiveBack(address, requests)
		}
	}()
	web.Pause(r, wait)
	waited = true
}

// tellDelayed counts what an address has to wait for.
func (c *Control) tellDelayed(address netip.Addr) {
	c.delayed.Add(1)
	if c.delayWarning.due() {
		c.log.Info("requests are delayed, since their address sends more than the request rate, or opens more than a fifth as many connections; this is told once a minute",
			"address", address, "rate", c.settings.RequestRate)
	}
}

// Delayed returns how many requests and connections had to wait because of the request rate.
func (c *Control) Delayed() int64 { return c.delayed.Load() }

// AdmitPost counts a post. If its address exceeds the publish rate, the error is a
// [web.Problem] that refuses it.
func (c *Control) AdmitPost(r *http.Request) error {
	if wait, ok := c.posts.Take(c.Source.Of(r)); !ok {
		return web.TooMany("publish-rate", wait, "Your address has posted more than %g messages a second. Wait a moment between them.", c.settings.PublishRate)
	}
	return nil
}

// AdmitRead counts a costly read: one that costs the server much. If its address exceeds
// the read rate, the error is a [web.Problem] that refuses it.
func (c *Control) AdmitRead(r *http.Request) error {
	if wait, ok := c.reads.Take(c.Source.Of(r)); !ok {
		return web.TooMany("read-rate", wait, "Your address has asked more than %g times a second for what costs this server much. Wait a moment between them.", c.settings.ReadRate)
	}
	return nil
}
