package server

import (
	"math"
	"math/rand/v2"
	"net/http"
	"pubsub/server/address"
	"pubsub/server/settings"
)

// limits holds what strangers may take at a time. 0 in the settings is no limit.
type limits struct {
	address.Source
	*polls
	requests *rates
	posts    *rates
	reads    *rates // that cost much
	restarts *rates // answers that tell of a restart
	unread   unread

	config *settings.Settings
}

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

func newLimits(config *settings.Settings) *limits {
	burst := max(1, config.PublishBurst)
	if config.PublishBurst == 0 {
		burst = math.MaxInt
	}
	return &limits{
		Source:   address.Source{TrustedHops: config.TrustedHops},
		polls:    newPolls(config),
		requests: newRates(config.RequestRate, int(math.Ceil(config.RequestRate*requestBurst))),
		posts:    newRates(config.PublishRate, burst),
		reads:    newRates(config.ReadRate, int(math.Ceil(readBurst*config.ReadRate))),
		restarts: newRates(restartRate, restartBurst),
		config:   config,
	}
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

// pace holds a request back whose address sends more than its rate: one that never
// waits must not take all the time there is.
func (l *limits) pace(r *http.Request) {
	if l.requests.limit == 0 {
		return
	}
	if wait := l.requests.of(l.Of(r)).Reserve().Delay(); wait > 0 {
		pause(r, wait)
	}
}

// admitPost counts a post, or refuses it for now.
func (l *limits) admitPost(r *http.Request) error {
	if wait, ok := l.posts.take(l.Of(r)); !ok {
		return tooMany("publish-rate", wait, "Your address has posted more than %g messages a second. Wait a moment between them.", l.config.PublishRate)
	}
	return nil
}

// admitRead counts a read that costs much, or refuses it for now.
func (l *limits) admitRead(r *http.Request) error {
	if wait, ok := l.reads.take(l.Of(r)); !ok {
		return tooMany("read-rate", wait, "Your address has asked more than %g times a second for what costs this server much. Wait a moment between them.", l.config.ReadRate)
	}
	return nil
}

// forget forgets addresses that have not done anything for a while.
func (l *limits) forget() {
	for _, rates := range []*rates{l.requests, l.posts, l.reads, l.restarts} {
		rates.forget()
	}
}

// soon is a Retry-After in seconds that does not call all back at once.
func soon() int { return 1 + rand.IntN(5) }

func full(reason, format string, args ...any) error {
	p := refuse(http.StatusServiceUnavailable, format, args...).(*problem)
	p.reason, p.retryAfter = reason, soon()
	return p
}

func tooMany(reason string, retryAfter int, format string, args ...any) error {
	p := refuse(http.StatusTooManyRequests, format, args...).(*problem)
	p.reason, p.retryAfter = reason, retryAfter
	return p
}
