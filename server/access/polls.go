package access

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"pubsub/server/address"
	"pubsub/server/conns"
	"pubsub/server/settings"
	"pubsub/server/shares"
	"pubsub/server/web"
)

// Why a poll ends before its time.
var (
	errSuperseded = &web.Problem{Status: http.StatusTooManyRequests, Reason: "polls-per-client", RetryAfter: web.Soon,
		Text: "Newer polls of this client took this one's place. Keep fewer open."}
	errDisplaced = &web.Problem{Status: http.StatusServiceUnavailable, Reason: "polls", RetryAfter: web.Soon, Close: true, // and with it all that its connection may ask
		Text: "The server is full, and your address has most of the polls that are pending. Keep fewer open."}
)

// Displaced tells whether a request's poll lost its place to somebody with fewer. Then
// nothing can wait on its connection any more.
func Displaced(r *http.Request) bool {
	ctx := r.Context()
	return ctx.Err() != nil && context.Cause(ctx) == error(errDisplaced)
}

// polls bounds how many polls are pending. Where that is too many, who has most
// makes room: an address with few is not refused because others have many.
type polls struct {
	settings *settings.Settings
	source   address.Source

	mu        sync.Mutex // guards all below
	pending   shares.Holdings[netip.Addr, poll]
	onChannel map[string]*shares.Shares[netip.Addr]
	byClient  map[clientID][]*pendingPoll // oldest first
}

// pendingPoll is a poll that was let in.
type pendingPoll = shares.Holding[netip.Addr, poll]

type poll struct {
	channel string
	here    *shares.Shares[netip.Addr] // on the channel
	client  clientID
	end     context.CancelCauseFunc
}

// clientID is what a client calls itself. The address is part of it, so that
// nobody can end another's polls by calling itself the same.
type clientID struct {
	address netip.Addr
	name    string
}

func newPolls(s *settings.Settings, source address.Source) polls {
	return polls{
		settings:  s,
		source:    source,
		onChannel: make(map[string]*shares.Shares[netip.Addr]),
		byClient:  make(map[clientID][]*pendingPoll),
	}
}

// AdmitPoll counts a poll until leave is called, or says which limit it is over. The
// context ends with a problem when its place is needed.
func (p *polls) AdmitPoll(r *http.Request, channel string) (ctx context.Context, leave func(), err error) {
	name := r.Header.Get("X-Client-Id")
	if len(name) > 128 {
		return nil, nil, web.Refuse(http.StatusBadRequest, "An X-Client-ID has at most 128 bytes.")
	}
	ctx = r.Context()
	poll := poll{channel: channel, client: clientID{p.source.Of(r), name}, end: conns.End(r)}
	p.mu.Lock()
	defer p.mu.Unlock()
	poll.here = p.onChannel[channel]
	if err := p.makeRoom(&poll); err != nil {
		return nil, nil, err
	}
	named := name != "" && p.settings.MaxPollsPerClient > 0
	if named {
		ctx, poll.end = context.WithCancelCause(ctx)
	}
	pending := p.add(poll)
	if named {
		p.supersede(pending)
	}
	return ctx, func() { p.leave(pending) }, nil
}

// add counts a poll. mu is held.
func (p *polls) add(poll poll) *pendingPoll {
	if poll.here == nil || p.onChannel[poll.channel] != poll.here { // nobody is there, any more
		poll.here = new(shares.Shares[netip.Addr])
		p.onChannel[poll.channel] = poll.here
	}
	poll.here.Add(poll.client.address, 1)
	return p.pending.Add(poll.client.address, poll, 1)
}

// makeRoom sees to it that there is a place for poll. mu is held.
func (p *polls) makeRoom(poll *poll) error {
	address, all, here := poll.client.address, &p.pending.Weights, poll.here
	if web.Reached(all.Of(address), p.settings.MaxPollsPerAddress) {
		return web.TooMany("polls-per-address", web.Soon, "%d polls are pending from your address, as many as one may have. Let some end.", p.settings.MaxPollsPerAddress)
	}
	if here != nil && web.Reached(here.Total(), p.settings.MaxPollsPerChannel) && !p.displace(here, address, poll.channel) {
		return web.Full("polls-per-channel", "This channel has %d pending polls, as many as one may. Ask again in a moment.", p.settings.MaxPollsPerChannel)
	}
	if web.Reached(all.Total(), p.settings.MaxPolls) && !p.displace(all, address, "") {
		return web.Full("polls", "The server holds %d polls, as many as it may. Ask again in a moment.", p.settings.MaxPolls)
	}
	return nil
}

// displace ends the oldest poll of who has most among the shares, if that is more
// than address has with one more; on the named channel, if one is named. mu is
// held.
func (p *polls) displace(among *shares.Shares[netip.Addr], address netip.Addr, channel string) bool {
	victim, most := among.Largest()
	if among.Of(address)+1 >= most {
		return false
	}
	for held := range p.pending.Of(victim) {
		if poll := &held.Value; channel == "" || poll.channel == channel {
			p.remove(held)
			poll.end(errDisplaced)
			return true
		}
	}
	return false
}

// supersede ends the oldest poll of a client that has as many as it may, and counts
// the new one. mu is held.
func (p *polls) supersede(poll *pendingPoll) {
	client := poll.Value.client
	pending := p.byClient[client]
	if len(pending) >= p.settings.MaxPollsPerClient {
		pending[0].Value.end(errSuperseded)
		pending = pending[1:]
	}
	p.byClient[client] = append(pending, poll)
}

func (p *polls) leave(poll *pendingPoll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(poll)
	client := poll.Value.client
	if client.name == "" || p.settings.MaxPollsPerClient == 0 {
		return
	}
	poll.Value.end(nil)
	pending := slices.DeleteFunc(p.byClient[client], func(other *pendingPoll) bool { return other == poll })
	if p.byClient[client] = pending; len(pending) == 0 {
		delete(p.byClient, client)
	}
}

// remove counts a poll no more. mu is held.
func (p *polls) remove(pending *pendingPoll) {
	if !p.pending.Remove(pending) {
		return // it was displaced
	}
	poll := &pending.Value
	if poll.here.Add(poll.client.address, -1); poll.here.Total() == 0 {
		delete(p.onChannel, poll.channel)
	}
}

// Waited tells whether a poll is pending on a channel.
func (p *polls) Waited(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.onChannel[channel] != nil
}

// WaitedChannels is on how many channels polls are pending.
func (p *polls) WaitedChannels() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.onChannel)
}

// Channels are those on which polls are pending, sorted.
func (p *polls) Channels() []string {
	p.mu.Lock()
	names := make([]string, 0, len(p.onChannel))
	for name := range p.onChannel {
		names = append(names, name)
	}
	p.mu.Unlock()
	slices.Sort(names)
	return names
}
