// Package access decides whether a request is admitted: by rights, by rates, and by limits on
// what an address may have at a time.
package access

import (
	"log/slog"
	"math"
	"sync/atomic"

	"pubsub/server/address"
	"pubsub/server/rates"
	"pubsub/server/settings"
	"pubsub/server/tokens"
)

// Control admits requests: every endpoint asks it first. A limit of 0 in the settings is no
// limit. Make it with [New]. Its methods are safe for concurrent use.
type Control struct {
	Source address.Source // tells the address of a request
	polls
	requests *rates.Limiter
	probes   *rates.Limiter
	posts    *rates.Limiter
	reads    *rates.Limiter // costly ones
	restarts *rates.Limiter // answers that tell of a restart

	connections *rates.Limiter // new ones

	unread   unread
	underWay requests

	delayed        atomic.Int64  // requests and connections that had to wait
	delayWarning   oncePerMinute // logs delayed requests
	restartWarning oncePerMinute // logs cursors of another process

	settings *settings.Settings
	log      *slog.Logger

	// Tickets is in memory by default. Replace it before the first request only.
	Tickets TicketStore

	tokens    *tokens.Verifier // nil if everybody has every right
	anonymous tokens.Rights    // of clients without a token
}

// New returns a Control with the limits of the settings, which it keeps: do not change them.
// It logs failures to get keys, and addresses that are delayed. The error tells a person what
// is wrong with the key for tokens.
func New(s *settings.Settings, log *slog.Logger) (*Control, error) {
	verifier, err := verifierOf(s, log)
	if err != nil {
		return nil, err
	}
	burst := float64(max(1, s.PublishBurst))
	if s.PublishBurst == 0 {
		burst = math.Inf(1)
	}
	source := address.Source{TrustedHops: s.TrustedHops}
	connections := s.RequestRate / connectionCost
	return &Control{
		Source:   source,
		polls:    newPolls(s, source),
		requests: rates.New(rates.Rate{PerSecond: s.RequestRate, Burst: math.Ceil(s.RequestRate * requestBurst)}),
		probes:   rates.New(rates.Rate{PerSecond: probeRate, Burst: probeBurst}),
		posts:    rates.New(rates.Rate{PerSecond: s.PublishRate, Burst: burst}),
		reads:    rates.New(rates.Rate{PerSecond: s.ReadRate, Burst: math.Ceil(readBurst * s.ReadRate)}),
		restarts: rates.New(rates.Rate{PerSecond: restartRate, Burst: restartBurst}),

		connections: rates.New(rates.Rate{PerSecond: connections, Burst: math.Ceil(connections * connectionBurst)}),

		settings: s,
		log:      log,

		Tickets:   newTicketsHere(),
		tokens:    verifier,
		anonymous: s.Anonymous,
	}, nil
}

// verifierOf returns nil if no key is set.
func verifierOf(s *settings.Settings, log *slog.Logger) (*tokens.Verifier, error) {
	if !s.WantsTokens() {
		return nil, nil
	}
	return tokens.New(tokens.Options{Key: s.TokenKey, JWKS: s.TokenJWKS, Audience: s.TokenAudience, Issuer: s.TokenIssuer, Log: log})
}

// Forget frees the memory of addresses that have not done anything for a while. Call it now
// and then.
func (c *Control) Forget() {
	for _, limiter := range []*rates.Limiter{c.requests, c.probes, c.posts, c.reads, c.restarts, c.connections} {
		limiter.Forget()
	}
}
