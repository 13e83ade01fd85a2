package access

import (
	"net/http"

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

// Pace delays a request whose address exceeds the request rate. It is delayed and not
// refused, because a client that never waits would send the next one at once. Pace panics
// with http.ErrAbortHandler if the client hangs up meanwhile.
func (c *Control) Pace(r *http.Request) {
	if c.requests.rate == 0 {
		return
	}
	if wait := c.requests.of(c.Source.Of(r)).Reserve().Delay(); wait > 0 {
		web.Pause(r, wait)
	}
}

// AdmitPost counts a post. If its address exceeds the publish rate, the error is a
// [web.Problem] that refuses it.
func (c *Control) AdmitPost(r *http.Request) error {
	if wait, ok := c.posts.take(c.Source.Of(r)); !ok {
		return web.TooMany("publish-rate", wait, "Your address has posted more than %g messages a second. Wait a moment between them.", c.settings.PublishRate)
	}
	return nil
}

// AdmitRead counts a costly read: one that costs the server much. If its address exceeds
// the read rate, the error is a [web.Problem] that refuses it.
func (c *Control) AdmitRead(r *http.Request) error {
	if wait, ok := c.reads.take(c.Source.Of(r)); !ok {
		return web.TooMany("read-rate", wait, "Your address has asked more than %g times a second for what costs this server much. Wait a moment between them.", c.settings.ReadRate)
	}
	return nil
}
