package server

import (
	"net/http"
	"net/http/pprof"

	"pubsub/server/observe"
	"pubsub/server/poll"
)

// routes is every URL that the server answers, but for the static files: those are what
// no route claims.
func (s *Server) routes() router {
	routes := s.newRouter()
	chat, channels := poll.NewChat(s.polls), poll.NewChannels(&s.settings, s.hub, s.access)

	// The Python original's.
	routes.get("/", poll.Index(s.assets))
	routes.head("/", poll.Index(s.assets))
	routes.post("/pub", poll.Pub)
	routes.poll("/sub", poll.Cursor)
	routes.get("/debug", poll.Debug(s.hub))
	routes.head("/debug", poll.Debug(s.hub))

	// The same on any channel, and with a cursor.
	routes.post("/pub/:channel", poll.Pub)
	routes.poll("/sub/:channel", poll.Cursor)

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
	routes.both("/readyz", observe.Ready(s.posts.Gate.Closed))
	if s.settings.AdminAddr == "" {
		routes.both("/metrics", s.openMetrics)
	}
	return routes
}

// adminRoutes is what only those who run the server should reach.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.responder.Handle(s.metrics.Write))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
