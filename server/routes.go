package server

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
)

// routes is every URL that the server answers, but for the static files: those
// are what no route claims.
func (s *Server) routes() http.Handler {
	router := httprouter.New()
	router.RedirectTrailingSlash = false
	router.RedirectFixedPath = false
	router.HandleOPTIONS = false
	router.NotFound = s.handle(s.assets.file)
	router.MethodNotAllowed = s.handle(methodNotAllowed)

	route := func(method, path string, h handler) {
		serve := s.handle(h)
		router.Handle(method, path, func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
			for _, p := range params {
				r.SetPathValue(p.Key, p.Value)
			}
			serve(w, r)
		})
	}

	// The Python original's.
	route(http.MethodGet, "/", s.index)
	route(http.MethodHead, "/", s.index)
	route(http.MethodPost, "/pub", s.pub)
	route(http.MethodGet, "/sub", s.sub)
	route(http.MethodGet, "/debug", s.debug)
	route(http.MethodHead, "/debug", s.debug)

	// The same on any channel; /sub with a cursor is in cursor.go.
	route(http.MethodPost, "/pub/:channel", s.pub)
	route(http.MethodGet, "/sub/:channel", s.sub)

	// One message at a time, by event id.
	route(http.MethodPost, "/publish/:channel", s.publishEvent)
	route(http.MethodGet, "/subscribe/:channel", s.subscribeEvent)
	route(http.MethodGet, "/channels", s.channels)

	// Messages of any shape, by timestamp or by id.
	route(http.MethodPost, "/api/publish/:channel", s.apiPublish)
	route(http.MethodGet, "/api/poll/:channel", s.apiPoll)

	// The whole conversation as text, by length.
	route(http.MethodGet, "/chat", s.chat)

	return router
}

// methodNotAllowed answers where a path has routes, but not this method's. The
// router has set Allow.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	allow := allowed(w.Header().Get("Allow"))
	w.Header().Set("Allow", allow)
	return refuse(http.StatusMethodNotAllowed, "%s is not for this address. It takes %s.", r.Method, allow)
}
