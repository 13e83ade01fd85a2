package access

import (
	"net/http"

	"pubsub/server/web"
)

// requestBurst is for how many seconds an address may save up requests: half as many as
// come when all of its polls are answered at once.
const requestBurst = 0.1

// readBurst is for how many seconds an address may save up its dear reads.
const readBurst = 5

// An address is told of a restart so often at once, and then once a second. One
// client is told once for each; it takes two processes behind one address to tell
// it on and on.
const (
	restartBurst = 15
	restartRate  = 1
)

// Pace holds a request back whose address sends more than its rate: one that never
// waits must not take all the time there is.
func (c *Control) Pace(r *http.Request) {
	if c.requests.limit == 0 {
		return
	}
	if wait := c.requests.of(c.Source.Of(r)).Reserve().Delay(); wait > 0 {
		web.Pause(r, wait)
	}
}

// AdmitPost counts a post, or refuses it for now.
func (c *Control) AdmitPost(r *http.Request) error {
	if wait, ok := c.posts.take(c.Source.Of(r)); !ok {
		return web.TooMany("publish-rate", wait, "Your address has posted more than %g messages a second. Wait a moment between them.", c.settings.PublishRate)
	}
	return nil
}

// AdmitRead counts a read that costs much, or refuses it for now.
func (c *Control) AdmitRead(r *http.Request) error {
	if wait, ok := c.reads.take(c.Source.Of(r)); !ok {
		return web.TooMany("read-rate", wait, "Your address has asked more than %g times a second for what costs this server much. Wait a moment between them.", c.settings.ReadRate)
	}
	return nil
}

// AdmitRestart counts an answer that tells of a restart. If its address was told so too
// often, it tells for how many seconds to hold the answer back.
func (c *Control) AdmitRestart(r *http.Request) (wait int, ok bool) {
	return c.restarts.take(c.Source.Of(r))
}
