package access

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"pubsub/server/address"
	"pubsub/server/conns"
	"pubsub/server/fairshare"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// polls bounds how many polls are pending: in all, on a channel, of an address and of a
// client. For what happens at a limit, see displace.go.
type polls struct {
	settings *settings.Settings
	source   address.Source

	mu        sync.Mutex // guards the fields below; held over end of a poll, which may take the locks of a connection
	byAddress fairshare.Holdings[netip.Addr, poll]
	byChannel map[string]*fairshare.Shares[netip.Addr] // how many polls of each address the channel has
	byClient  map[clientID][]*pendingPoll              // oldest first
}

// pendingPoll is a poll that was admitted.
type pendingPoll = fairshare.Holding[netip.Addr, poll]

// poll is one channel of a poll. It ends with all others of the same request.
type poll struct {
	channel   string
	onChannel *fairshare.Shares[netip.Addr] // polls.byChannel of the channel
	client    clientID
	end       context.CancelCauseFunc
	all       []*pendingPoll // of the request; nil if it has a single channel
}

// clientID is the X-Client-ID of a request with its address, so that a client cannot end
// another's polls by sending the same X-Client-ID.
type clientID struct {
	address netip.Addr
	name    string
}

func newPolls(s *settings.Settings, source address.Source) polls {
	return polls{
		settings:  s,
		source:    source,
		byChannel: make(map[string]*fairshare.Shares[netip.Addr]),
		byClient:  make(map[clientID][]*pendingPoll),
	}
}

// AdmitPoll counts a poll as pending until leave is called: call it once. Every limit counts
// it once for each of its channels, but the limit of a client counts it once. If a limit is
// reached, the error is a [web.Problem] that names it, and leave must not be called. ctx is
// the request's, and also ends when the poll is displaced. Then its cause is a [web.Problem].
// AdmitPoll is safe for concurrent use, and does not wait.
func (p *polls) AdmitPoll(r *http.Request, channels ...string) (ctx context.Context, leave func(), err error) {
	if r.Header.Get("X-Client-Id") == "" && r.ProtoMajor < 2 {
		leave, err = p.AdmitStream(r, conns.Ender(r), channels)
		return r.Context(), leave, err
	}
	// The client's other polls, or those of the HTTP/2 connection, must not end with this one.
	ctx, end := context.WithCancelCause(r.Context())
	forget, err := p.AdmitStream(r, end, channels)
	return ctx, func() { forget(); end(nil) }, err
}

// AdmitStream is AdmitPoll without a context: when the stream is displaced, end is called
// with the [web.Problem]. Locks are held then, so end must not wait.
func (p *polls) AdmitStream(r *http.Request, end context.CancelCauseFunc, channels []string) (leave func(), err error) {
	name := r.Header.Get("X-Client-Id")
	if len(name) > 128 {
		return nil, web.Refuse(http.StatusBadRequest, "An X-Client-ID has at most 128 bytes.")
	}
	poll := poll{client: clientID{p.source.Of(r), name}, end: end}
	known := name != "" && p.settings.MaxPollsPerClient > 0
	p.mu.Lock()
	defer p.mu.Unlock()
	if known {
		p.supersede(poll.client) // first, as the place of that poll is room for this one
	}
	pending, err := p.enter(poll, channels)
	if err != nil {
		return nil, err
	}
	if known {
		p.byClient[poll.client] = append(p.byClient[poll.client], pending)
	}
	return func() { p.leave(pending) }, nil
}

// enter counts a request on all of its channels, or on none if there is no room. mu is held.
func (p *polls) enter(poll poll, channels []string) (*pendingPoll, error) {
	for _, channel := range channels { // before any poll is displaced for this one
		if err := p.refusal(poll.client.address, len(channels), channel); err != nil {
			return nil, err
		}
	}
	var all []*pendingPoll
	for _, channel := range channels {
		poll.channel, poll.onChannel = channel, p.byChannel[channel]
		if err := p.makeRoom(&poll); err != nil {
			for _, pending := range all {
				p.removeOne(pending)
			}
			return nil, err
		}
		pending := p.add(poll)
		if len(channels) == 1 {
			return pending, nil
		}
		all = append(all, pending)
	}
	for _, pending := range all {
		pending.Value.all = all
	}
	return all[0], nil
}

// add counts a poll. mu is held.
func (p *polls) add(poll poll) *pendingPoll {
	// The channel's shares are gone if no poll was pending, or if the last one has just been
	// displaced for this poll.
	if poll.onChannel == nil || p.byChannel[poll.channel] != poll.onChannel {
		poll.onChannel = new(fairshare.Shares[netip.Addr])
		p.byChannel[poll.channel] = poll.onChannel
	}
	poll.onChannel.Add(poll.client.address, 1)
	return p.byAddress.Add(poll.client.address, poll, 1)
}

func (p *polls) leave(pending *pendingPoll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(pending)
	client := pending.Value.client
	if client.name == "" || p.settings.MaxPollsPerClient == 0 {
		return
	}
	others := slices.DeleteFunc(p.byClient[client], func(other *pendingPoll) bool { return other == pending })
	if p.byClient[client] = others; len(others) == 0 {
		delete(p.byClient, client)
	}
}

// remove stops counting a poll on all of its channels. mu is held.
func (p *polls) remove(pending *pendingPoll) {
	for _, each := range pending.Value.all {
		p.removeOne(each)
	}
	p.removeOne(pending)
}

func (p *polls) removeOne(pending *pendingPoll) {
	if !p.byAddress.Remove(pending) {
		return // displaced before
	}
	poll := &pending.Value
	if poll.onChannel.Add(poll.client.address, -1); poll.onChannel.Total() == 0 {
		delete(p.byChannel, poll.channel)
	}
}
