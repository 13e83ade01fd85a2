package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"strings"

	"pubsub/server/observe"
	"pubsub/server/poll"
	"pubsub/server/stream"
	"pubsub/server/web"
)

// routes has every URL of the server. A URL without a route is a static file or a 404.
func (p *parts) routes() router {
	if p.settings.Crowd && !p.log.Enabled(context.Background(), slog.LevelDebug) { // debug has a line for each request
		p.conns.InLoop = waitsInCrowd
	}
	routes := p.newRouter()

	// As in the Python original.
	routes.both("/", p.polls.Page(p.assets))
	routes.post("/pub", poll.Pub)
	routes.sub("/sub")
	routes.both("/debug", p.operators(poll.Debug(p.hub, p.streams.Open)))

	// The same on a named channel, or on several. A poll may have a cursor, and the answer may
	// be a stream.
	routes.post("/pub/:channel", poll.Pub)
	routes.sub("/sub/:channel")

	// Back through the log.
	routes.channel("/history/:channel", p.polls.Back)

	// Who is here.
	routes.channel("/presence/:channel", p.polls.Who)
	routes.post("/presence/:channel", poll.Typing(p.presence, p.access.Source))

	// One message at a time. A poll has the id of the last one.
	routes.post("/publish/:channel", poll.PublishEvent)
	routes.poll("/subscribe/:channel", poll.Event)
	routes.get("/channels", p.polls.Channels)

	// Messages with any fields. A poll has the timestamp or the id of the last one.
	routes.post("/api/publish/:channel", poll.PublishAPI)
	routes.poll("/api/poll/:channel", poll.API)

	// All messages of a channel as text. A poll has the length of the text.
	routes.get("/chat", p.polls.Chat)

	// A ticket stands for a token where a browser cannot send one.
	routes.plain(http.MethodPost, "/ticket", p.access.Ticket)

	// For operators.
	routes.both("/healthz", observe.Healthy)
	routes.both("/readyz", observe.Ready(p.leaving.Load, p.store.awayLong))
	if p.settings.AdminAddr == "" {
		routes.both("/metrics", p.operators(p.openMetrics))
	}
	return routes
}

// waitsInCrowd tells whether a request is a poll that sends a cursor or an id, and so may
// wait without a goroutine. It looks no closer, because the handler answers any request.
func waitsInCrowd(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	switch path := r.URL.Path; {
	case path == "/sub", strings.HasPrefix(path, "/sub/"):
		return names(r, "since=") && stream.WayOf(r) == nil
	case strings.HasPrefix(path, "/subscribe/"):
		return names(r, "last_event_id=")
	case strings.HasPrefix(path, "/api/poll/"):
		return names(r, "last_message_id=")
	}
	return false
}

func names(r *http.Request, field string) bool {
	return strings.HasPrefix(r.URL.RawQuery, field) || strings.Contains(r.URL.RawQuery, "&"+field)
}

// operators returns a handler for clients with the right to operate the server.
func (p *parts) operators(h web.Handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := p.access.AuthorizeOperator(r); err != nil {
			return err
		}
		return h(w, r)
	}
}

// adminRoutes returns the routes of the admin address, for operators.
func (p *parts) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.responder.Handle(p.metrics.Write))
	mux.HandleFunc("GET /debug/pprof/", p.guard.Private(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", p.guard.Private(pprof.Cmdline))
	mux.HandleFunc("GET /debug/pprof/profile", p.guard.Private(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", p.guard.Private(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", p.guard.Private(pprof.Trace))
	return mux
}

// openMetrics answers GET /metrics on the main address, as a costly read.
func (p *parts) openMetrics(w http.ResponseWriter, r *http.Request) error {
	if err := p.access.AdmitRead(r); err != nil {
		return err
	}
	return p.metrics.Write(w, r)
}
