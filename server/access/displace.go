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

// refusal returns the error that refuses a poll with n channels because of its address, or of a
// channel that is full. It is nil where another poll can be displaced. mu is held.
func (p *polls) refusal(address netip.Addr, n int, channel string) error {
	if most := p.settings.MaxPollsPerAddress; most > 0 && p.byAddress.Weights.Of(address)+n > most {
		return web.TooMany("polls-per-address", web.Soon, "%d polls are pending from your address, and one may have %d. Each channel counts. Let some end.",
			p.byAddress.Weights.Of(address), most)
	}
	if here := p.byChannel[channel]; p.fullOn(here) && !hasMoreToLose(here, address) {
		return web.Full("polls-per-channel", "This channel has %d pending polls, as many as one may. Ask again in a moment.", p.settings.MaxPollsPerChannel)
	}
	return nil
}

// fullOn tells whether the channel with these shares has as many polls as it may. mu is held.
func (p *polls) fullOn(here *fairshare.Shares[netip.Addr]) bool {
	return here != nil && fairshare.Reached(here.Total(), p.settings.MaxPollsPerChannel)
}

// hasMoreToLose tells whether the address that has most of the shares would still have more than
// the given one, if that had one more.
func hasMoreToLose(among *fairshare.Shares[netip.Addr], address netip.Addr) bool {
	_, most := among.Largest()
	return among.Of(address)+1 < most
}

// makeRoom displaces a poll if that is needed to admit another that refusal does not refuse. Its
// error tells that the server is full. mu is held.
func (p *polls) makeRoom(poll *poll) error {
	if p.fullOn(poll.onChannel) {
		p.displace(poll.onChannel, poll.channel)
	}
	if all := &p.byAddress.Weights; fairshare.Reached(all.Total(), p.settings.MaxPolls) {
		if !hasMoreToLose(all, poll.client.address) {
			return web.Full("polls", "The server holds %d polls, as many as it may. Ask again in a moment.", p.settings.MaxPolls)
		}
		p.displace(all, "")
	}
	return nil
}

// displace ends the oldest poll of the address that has most of the shares. If a channel is
// named, only polls on it are displaced. mu is held.
func (p *polls) displace(among *fairshare.Shares[netip.Addr], channel string) {
	cause := errDisplaced
	if channel != "" {
		cause = errDisplacedOnChannel
	}
	victim, _ := among.Largest()
	for pending := range p.byAddress.Of(victim) {
		if poll := &pending.Value; channel == "" || poll.channel == channel {
			p.remove(pending)
			poll.end(cause)
			return
		}
	}
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
