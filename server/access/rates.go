package access

import (
	"net/http"
	"net/netip"
	"time"

	"pubsub/server/rates"
	"pubsub/server/web"
)

// requestBurst is the burst of requests, in seconds at the request rate. When all polls of an
// address are answered at once, it allows half of the next ones.
const requestBurst = 0.1

// readBurst is the burst of costly reads, in seconds at the read rate.
const readBurst = 5

// How many answers that tell of a restart an address gets without a delay. The burst is for
// the clients of one address, which get one each after a restart. The rate is for a client
// that gets them without end, because two processes with separate logs answer it in turn.
const (
	restartBurst = 15 // answers
	restartRate  = 1  // a second
)

// Probes are requests for the health or the metrics of the server. As long as they are few,
// they do not wait behind others of their address.
const (
	probeRate  = 10 // a second
	probeBurst = 50
)

// longestPace is how long a request may wait because its address exceeds the request rate.
// After a longer wait a client would think that the server is gone.
const longestPace = time.Second

// Pace delays a request whose address exceeds the request rate. A refusal would not help
// against a client that never waits, as it would send the next request at once. If the delay
// would be too long, the error is a [web.Problem]. If the client hangs up meanwhile, Pace
// panics with http.ErrAbortHandler, and others of its address wait for less.
func (c *Control) Pace(r *http.Request, address netip.Addr) error {
	if c.requests.Rate.PerSecond > 0 && isProbe(r) {
		if _, ok := c.probes.Take(address); ok {
			return nil
		}
	}
	return c.pace(r, address, 1)
}

// PaceFrame is Pace for a WebSocket frame; r tells its sender. A frame counts as a request,
// and a long one as several, because reading it costs more.
func (c *Control) PaceFrame(r *http.Request, bytes int) error {
	return c.pace(r, c.Source.Of(r), min(1+float64(bytes/paceBytes), c.requests.Rate.Burst))
}

// paceBytes is how many bytes of a frame count as one more request.
const paceBytes = 1 << 10

func (c *Control) pace(r *http.Request, address netip.Addr, requests float64) error {
	if c.requests.Rate.PerSecond == 0 {
		return nil
	}
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

// delay waits for as long as was promised to so many requests.
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

// tellDelayed counts and logs a delay.
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
// [web.Problem].
func (c *Control) AdmitPost(r *http.Request) error {
	if wait, ok := c.posts.Take(c.Source.Of(r)); !ok {
		return web.TooMany("publish-rate", wait, "Your address has posted more than %g messages a second. Wait a moment between them.", c.settings.PublishRate)
	}
	return nil
}

// AdmitRead counts a read that costs the server much. If its address exceeds the read rate,
// the error is a [web.Problem].
func (c *Control) AdmitRead(r *http.Request) error {
	if wait, ok := c.reads.Take(c.Source.Of(r)); !ok {
		return web.TooMany("read-rate", wait, "Your address has asked more than %g times a second for what costs this server much. Wait a moment between them.", c.settings.ReadRate)
	}
	return nil
}
