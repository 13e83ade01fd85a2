// Package access is who may do what, and how often: rights, and the bounds of what
// strangers may take at a time.
package access

import (
	"math"

	"pubsub/server/address"
	"pubsub/server/settings"
)

// Control is asked by every way in before anything is done. A bound of 0 in the
// settings is none.
type Control struct {
	Source address.Source
	polls
	requests *rates
	posts    *rates
	reads    *rates // that cost much
	restarts *rates // answers that tell of a restart
	unread   unread

	settings *settings.Settings
}

// New takes the bounds of the settings.
func New(s *settings.Settings) *Control {
	burst := max(1, s.PublishBurst)
	if s.PublishBurst == 0 {
		burst = math.MaxInt
	}
	source := address.Source{TrustedHops: s.TrustedHops}
	return &Control{
		Source:   source,
		polls:    newPolls(s, source),
		requests: newRates(s.RequestRate, int(math.Ceil(s.RequestRate*requestBurst))),
		posts:    newRates(s.PublishRate, burst),
		reads:    newRates(s.ReadRate, int(math.Ceil(readBurst*s.ReadRate))),
		restarts: newRates(restartRate, restartBurst),
		settings: s,
	}
}

// Forget forgets addresses that have not done anything for a while.
func (c *Control) Forget() {
	for _, rates := range []*rates{c.requests, c.posts, c.reads, c.restarts} {
		rates.forget()
	}
}
