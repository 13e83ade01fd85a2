package server

import (
	"net/http"
	"net/http/pprof"

	"pubsub/server/observe"
	"pubsub/server/poll"
)

// routes is every URL that the server answers, but for the static files: those are what
// no route claims.
func (p *parts) routes() router {
	routes := p.newRouter()
	chat, channels := poll.NewChat(p.polls), poll.NewChannels(&p.settings, p.hub, p.access)

	// The Python original'p.
	routes.get("/", poll.Index(p.assets))
	routes.head("/", poll.Index(p.assets))
	routes.post("/pub", poll.Pub)
	routes.poll("/sub", poll.Sub)
	routes.get("/debug", poll.Debug(p.hub))
	routes.head("/debug", poll.Debug(p.hub))

	// The same on any channel, and with a cursor.
	routes.post("/pub/:channel", poll.Pub)
	routes.poll("/sub/:channel", poll.Sub)

	// One message at a time, by event id.
	routes.post("/publish/:channel", poll.PublishEvent)
	routes.poll("/subscribe/:channel", poll.Event)
	routes.get("/channels", channels.Answer)

	// Messages of any shape, by timestamp or by id.
	routes.post("/api/publish/:channel", poll.PublishAPI)
	routes.poll("/api/poll/:channel", poll.API)

	// The whole conversation as text, by length.
	routes.get("/chat", chat.Answer)

	// For those who run it.
	routes.both("/healthz", observe.Healthy)
	routes.both("/readyz", observe.Ready(p.posts.Gate.Closed))
	if p.settings.AdminAddr == "" {
		routes.both("/metrics", p.openMetrics)
	}
	return routes
}

// adminRoutes is what only those who run the server should reach.
func (p *parts) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.responder.Handle(p.metrics.Write))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// openMetrics are those that everybody may ask for.
func (p *parts) openMetrics(w http.ResponseWriter, r *http.Request) error {
	if err := p.access.AdmitRead(r); err != nil {
		return err
	}
	return p.metrics.Write(w, r)
}
