package access

import (
	"context"
	"net/http"
	"net/netip"

	"pubsub/server/fairshare"
	"pubsub/server/web"
)

// When a limit on polls is reached, the address that has most polls loses its oldest one. So
// an address with few polls is not refused because of one with many. A client at its own
// limit loses its oldest poll to its newest.

// The causes with which the context of a displaced poll ends.
var (
	errSuperseded = &web.Problem{Status: http.StatusTooManyRequests, Reason: "polls-per-client", RetryAfter: web.Soon,
		Text: "Newer polls of this client took this one's place. Keep fewer open."}
	errDisplaced          = displaced("polls", "The server is full, and your address has most of the polls that are pending. Keep fewer open.")
	errDisplacedOnChannel = displaced("polls-per-channel", "The channel is full, and your address has most of the polls that are pending on it. Keep fewer open.")
)

// displaced makes a Problem that closes the connection, as no further poll can wait on it.
func displaced(reason, text string) *web.Problem {
	return &web.Problem{Status: http.StatusServiceUnavailable, Reason: reason, RetryAfter: web.Soon, Close: true, Text: text}
}

// Displaced tells whether the poll of a request was displaced. Then every further poll on its
// connection would end at once, so close the connection.
func Displaced(r *http.Request) bool {
	ctx := r.Context()
	if ctx.Err() == nil {
		return false
	}
	cause := context.Cause(ctx)
	return cause == errDisplaced || cause == errDisplacedOnChannel
}

// makeRoom displaces a poll if that is needed to admit another, or returns the error that
// refuses the new one. mu is held.
func (p *polls) makeRoom(poll *poll) error {
	address, all, here := poll.client.address, &p.byAddress.Weights, poll.onChannel
	if fairshare.Reached(all.Of(address), p.settings.MaxPollsPerAddress) {
		return web.TooMany("polls-per-address", web.Soon, "%d polls are pending from your address, as many as one may have. Let some end.", p.settings.MaxPollsPerAddress)
	}
	if here != nil && fairshare.Reached(here.Total(), p.settings.MaxPollsPerChannel) && !p.displace(here, address, poll.channel) {
		return web.Full("polls-per-channel", "This channel has %d pending polls, as many as one may. Ask again in a moment.", p.settings.MaxPollsPerChannel)
	}
	if fairshare.Reached(all.Total(), p.settings.MaxPolls) && !p.displace(all, address, "") {
		return web.Full("polls", "The server holds %d polls, as many as it may. Ask again in a moment.", p.settings.MaxPolls)
	}
	return nil
}

// displace ends the oldest poll of the address that has most of the shares. It returns false
// if the given address would have as many with one more. If a channel is named, only polls on
// it are displaced. mu is held.
func (p *polls) displace(among *fairshare.Shares[netip.Addr], address netip.Addr, channel string) bool {
	victim, most := among.Largest()
	if among.Of(address)+1 >= most {
		return false
	}
	cause := errDisplaced
	if channel != "" {
		cause = errDisplacedOnChannel
	}
	for pending := range p.byAddress.Of(victim) {
		if poll := &pending.Value; channel == "" || poll.channel == channel {
			p.remove(pending)
			poll.end(cause)
			return true
		}
	}
	return false
}

// supersede ends the oldest poll of a client that has as many as it may. mu is held.
func (p *polls) supersede(client clientID) {
	pending := p.byClient[client]
	if len(pending) < p.settings.MaxPollsPerClient {
		return
	}
	p.remove(pending[0])
	pending[0].Value.end(errSuperseded)
	p.byClient[client] = pending[1:]
}
