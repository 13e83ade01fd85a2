package server

import (
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// routes is every URL that the server answers, but for the static files: those
// are what no route claims.
func (s *Server) routes() router {
	router := router{httprouter.New()}
	router.RedirectTrailingSlash = false
	router.RedirectFixedPath = false
	router.HandleOPTIONS = false
	router.NotFound = s.handle(s.assets.file)
	router.MethodNotAllowed = s.handle(methodNotAllowed)

	route := func(method, path string, h handler) {
		router.Handler(method, path, s.handle(h))
	}
	onChannel := func(method, path string, h channelHandler) {
		router.Handle(method, path, func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
			channel, err := channelOf(params.ByName("channel"))
			if err == nil {
				err = h(s, w, r, channel)
			}
			if err != nil {
				s.answerError(w, r, err)
			}
		})
	}

	onPoll := func(path string, read askReader) {
		router.Handle(http.MethodGet, path, s.poll(read))
	}

	// The Python original's.
	route(http.MethodGet, "/", s.index)
	route(http.MethodHead, "/", s.index)
	onChannel(http.MethodPost, "/pub", (*Server).pub)
	onPoll("/sub", readSince)
	route(http.MethodGet, "/debug", s.debug)
	route(http.MethodHead, "/debug", s.debug)

	// The same on any channel, and with a cursor.
	onChannel(http.MethodPost, "/pub/:channel", (*Server).pub)
	onPoll("/sub/:channel", readSince)

	// One message at a time, by event id.
	onChannel(http.MethodPost, "/publish/:channel", (*Server).publishEvent)
	onPoll("/subscribe/:channel", readLastEvent)
	route(http.MethodGet, "/channels", s.channels)

	// Messages of any shape, by timestamp or by id.
	onChannel(http.MethodPost, "/api/publish/:channel", (*Server).apiPublish)
	onPoll("/api/poll/:channel", readLastMessage)

	// The whole conversation as text, by length.
	route(http.MethodGet, "/chat", s.chat)

	// For those who run it.
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		route(method, "/healthz", s.healthy)
		route(method, "/readyz", s.ready)
		if s.config.AdminAddr == "" {
			route(method, "/metrics", s.openMetrics)
		}
	}

	return router
}

// openMetrics are those that everybody may ask for.
func (s *Server) openMetrics(w http.ResponseWriter, r *http.Request) error {
	if err := s.limits.admitRead(r); err != nil {
		return err
	}
	return s.metrics.write(w, r)
}

// router can be asked for a route's handler instead of calling it: a request
// that waits then has no frame of the router on its stack.
type router struct{ *httprouter.Router }

// find returns what answers r, nil if no route does. Then ServeHTTP says why.
func (t router) find(r *http.Request) (httprouter.Handle, httprouter.Params) {
	handle, params, _ := t.Lookup(r.Method, r.URL.Path)
	return handle, params
}

// adminRoutes is what only those who run the server should reach.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.handle(s.metrics.write))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// methodNotAllowed answers where a path has routes, but not this method's. The
// router has set Allow.
func methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	allow := allowed(w.Header().Get("Allow"))
	w.Header().Set("Allow", allow)
	return refuse(http.StatusMethodNotAllowed, "%s is not for this address. It takes %s.", r.Method, allow)
}

// allowed is a router's Allow without the OPTIONS that it always adds.
func allowed(header string) string {
	methods := slices.DeleteFunc(strings.Split(header, ", "), func(method string) bool {
		return method == http.MethodOptions
	})
	return strings.Join(methods, ", ")
}
