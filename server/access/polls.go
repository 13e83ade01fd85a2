package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"pubsub/server/address"
	"pubsub/server/settings"
	"pubsub/server/shares"
)

var (
	// errSuperseded is why a poll ends whose client has opened too many newer ones.
	errSuperseded = errors.New("a newer poll of this client took this one's place")
	// errDisplaced is why a poll ends whose address has most of them, when the
	// server or the channel is full.
	errDisplaced = errors.New("a poll of an address with fewer took this one's place")
)

// polls bounds how many polls are pending. Where that is too many, who has most
// makes room: an address with few is not refused because others have many.
type polls struct {
	config *settings.Settings
	source address.Source

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

func newPolls(config *settings.Settings) *polls {
	return &polls{
		config:    config,
		source:    address.Source{TrustedHops: config.TrustedHops},
		onChannel: make(map[string]*shares.Shares[netip.Addr]),
		byClient:  make(map[clientID][]*pendingPoll),
	}
}

// admit counts a poll until leave is called, or says which limit it is over. The
// context ends with errSuperseded or errDisplaced when its place is needed.
func (p *polls) admit(r *http.Request, channel string) (ctx context.Context, leave func(), err error) {
	name := r.Header.Get("X-Client-Id")
	if len(name) > 128 {
		return nil, nil, refuse(http.StatusBadRequest, "An X-Client-ID has at most 128 bytes.")
	}
	ctx = r.Context()
	poll := poll{channel: channel, client: clientID{p.source.Of(r), name}, end: endOf(r)}
	p.mu.Lock()
	defer p.mu.Unlock()
	poll.here = p.onChannel[channel]
	if err := p.makeRoom(&poll); err != nil {
		return nil, nil, err
	}
	named := name != "" && p.config.MaxPollsPerClient > 0
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

// endOf ends whatever is under way on the connection of r.
func endOf(r *http.Request) context.CancelCauseFunc {
	if c := connOf(r); c != nil {
		return c.end
	}
	return func(error) {} // not from our listener
}

// makeRoom sees to it that there is a place for poll. mu is held.
func (p *polls) makeRoom(poll *poll) error {
	address, all, here := poll.client.address, &p.pending.Weights, poll.here
	if reached(all.Of(address), p.config.MaxPollsPerAddress) {
		return tooMany("polls-per-address", soon(), "%d polls are pending from your address, as many as one may have. Let some end.", p.config.MaxPollsPerAddress)
	}
	if here != nil && reached(here.Total(), p.config.MaxPollsPerChannel) && !p.displace(here, address, poll.channel) {
		return full("polls-per-channel", "This channel has %d pending polls, as many as one may. Ask again in a moment.", p.config.MaxPollsPerChannel)
	}
	if reached(all.Total(), p.config.MaxPolls) && !p.displace(all, address, "") {
		return full("polls", "The server holds %d polls, as many as it may. Ask again in a moment.", p.config.MaxPolls)
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
		if poll := &held.Thing; channel == "" || poll.channel == channel {
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
	client := poll.Thing.client
	pending := p.byClient[client]
	if len(pending) >= p.config.MaxPollsPerClient {
		pending[0].Thing.end(errSuperseded)
		pending = pending[1:]
	}
	p.byClient[client] = append(pending, poll)
}

func (p *polls) leave(poll *pendingPoll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(poll)
	client := poll.Thing.client
	if client.name == "" || p.config.MaxPollsPerClient == 0 {
		return
	}
	poll.Thing.end(nil)
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
	poll := &pending.Thing
	if poll.here.Add(poll.client.address, -1); poll.here.Total() == 0 {
		delete(p.onChannel, poll.channel)
	}
}

// waited tells whether a poll is pending on a channel.
func (p *polls) waited(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.onChannel[channel] != nil
}

// waitedChannels is on how many channels polls are pending.
func (p *polls) waitedChannels() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.onChannel)
}

// channels are those on which polls are pending, sorted.
func (p *polls) channels() []string {
	p.mu.Lock()
	names := make([]string, 0, len(p.onChannel))
	for name := range p.onChannel {
		names = append(names, name)
	}
	p.mu.Unlock()
	slices.Sort(names)
	return names
}
