package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"

	"pubsub/server/access"
	"pubsub/server/asynclog"
	"pubsub/server/bus"
	"pubsub/server/conns"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/poll"
	"pubsub/server/post"
	"pubsub/server/presence"
	"pubsub/server/settings"
	"pubsub/server/stream"
	"pubsub/server/web"
)

// parts are the parts of a server.
type parts struct {
	settings settings.Settings
	log      *slog.Logger

	bus   *bus.Bus
	store *store
	hub   *hub.Hub

	metrics    *observe.Metrics
	refusals   *observe.Refusals
	responder  *web.Responder
	guard      *web.Guard
	assets     *web.Assets
	compressor *web.Compressor
	access     *access.Control
	conns      *conns.Conns
	presence   *presence.Presence
	posts      *post.Publisher
	polls      *poll.Polls
	streams    *stream.Streams

	leaving atomic.Bool // the server is asked to stop, which /readyz says
}

func newParts(set settings.Settings, static, templates fs.FS, log *slog.Logger) (*parts, error) {
	assets, err := web.LoadAssets(static, templates)
	if err != nil {
		return nil, err
	}
	b, err := bus.New(bus.Options{})
	if err != nil {
		return nil, fmt.Errorf("start the message bus: %w", err)
	}
	p := &parts{settings: set, log: log, bus: b, assets: assets, compressor: compressorOf(&set)}
	if p.access, err = access.New(&p.settings, p.log); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if p.store, err = openStore(&p.settings, p.bounds(), b, log); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if p.store.redis != nil {
		p.access.Tickets = p.store.redis.Tickets(access.TicketFor)
	}
	p.hub = hub.New(b, p.store)
	p.presence = presence.New(p.store.roster(), p.hub, p.presenceOptions())
	p.observe()
	p.posts = post.NewPublisher(p.hub, p.access, p.metrics, set.MaxMessageBytes)
	p.responder = &web.Responder{Log: log, Source: p.access.Source, Refusals: p.refusals, Draining: p.posts.Gate.Draining}
	p.guard = web.NewGuard(set.AllowedHosts, set.AllowedOrigins, p.responder)
	p.polls = poll.New(&p.settings, p.hub, p.access, p.responder, p.metrics, p.presence)
	p.streams = stream.New(&p.settings, p.hub, p.access, p.responder, p.metrics, p.posts, p.presence)
	p.metrics.CountStreams(p.streams.Open)
	p.conns = conns.New(&p.settings, p.responder, p.metrics.AcceptErrors.Inc)
	p.conns.Pace = p.access.PaceConnection
	p.metrics.CountConnections(p.conns.Open)
	return p, nil
}

func (p *parts) observe() {
	p.metrics = observe.NewMetrics(p.hub, p.bus)
	if p.store.bytes != nil {
		p.metrics.CountHistory(p.store.bytes)
	}
	p.metrics.CountPresence(p.presence.Counts)
	p.metrics.CountAway(p.store.isAway)
	p.metrics.CountDelayed(p.access.Delayed)
	p.metrics.CountCompressions(p.compressor.Made)
	p.refusals = observe.NewRefusals(p.log, p.metrics)
	if h, ok := p.log.Handler().(*asynclog.Handler); ok {
		p.metrics.CountDroppedLines(h)
	}
}

// maxBytesPerOwner bounds the bytes of one owner's messages in the log.
const maxBytesPerOwner = 16 << 20

// compressorOf returns the compressor of answers. It is nil if tokens may let a client post
// where it may not read, see [web.Compressor].
func compressorOf(s *settings.Settings) *web.Compressor {
	if s.WantsTokens() {
		return nil
	}
	return web.NewCompressor()
}

// presenceOptions bounds the names of one address that are present, if polls of one address
// are bounded, too.
func (p *parts) presenceOptions() presence.Options {
	o := presence.Options{OfAddress: p.settings.MaxPollsPerAddress}
	if o.OfAddress > 0 && !p.settings.WantsTokens() {
		o.OfRoom = presence.OfRoom
	}
	return o
}

// bounds returns the bounds of the log.
func (p *parts) bounds() history.Options {
	return history.Options{
		Messages:         p.settings.HistoryMessages,
		Age:              p.settings.HistoryAge,
		Bytes:            p.settings.HistoryBytes,
		BytesPerOwner:    min(p.settings.HistoryBytes, maxBytesPerOwner),
		Channels:         p.settings.MaxChannels,
		ChannelsPerOwner: p.settings.MaxChannelsPerAddress,
		Home:             history.DefaultChannel,
		Waited:           p.access.Waited,
	}
}

// Close closes the bus and the log.
func (p *parts) Close() error {
	p.refusals.Close()
	return errors.Join(p.bus.Close(), p.store.Close())
}
