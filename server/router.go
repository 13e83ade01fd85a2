package server

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"pubsub/server/history"
	"pubsub/server/poll"
	"pubsub/server/post"
	"pubsub/server/stream"
	"pubsub/server/web"
)

// router finds the handler of a request. Its method find returns the handler and does not
// call it. That saves a waiting request 300 bytes of stack, which so stays at 4 KB and does
// not grow to 8 KB.
type router struct {
	*httprouter.Router
	routes    *[]string // each such as GET /sub
	responder *web.Responder
	polls     *poll.Polls
	streams   *stream.Streams
	posts     *post.Publisher
}

func (p *parts) newRouter() router {
	t := router{httprouter.New(), new([]string), p.responder, p.polls, p.streams, p.posts}
	t.RedirectTrailingSlash = false
	t.RedirectFixedPath = false
	t.HandleOPTIONS = false
	t.NotFound = p.responder.Handle(p.assets.File)
	t.MethodNotAllowed = p.responder.Handle(web.MethodNotAllowed)
	return t
}

// find returns the handler of r, nil if there is none: then ServeHTTP answers with the error.
func (t router) find(r *http.Request) (httprouter.Handle, httprouter.Params) {
	handle, params, _ := t.Lookup(r.Method, r.URL.Path)
	return handle, params
}

// add adds a route. All methods below call it.
func (t router) add(method, path string, h httprouter.Handle) {
	*t.routes = append(*t.routes, method+" "+path)
	t.Handle(method, path, h)
}

func (t router) plain(method, path string, h web.Handler) {
	answer := t.responder.Handle(h)
	t.add(method, path, func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) { answer(w, r) })
}

func (t router) get(path string, h web.Handler) { t.plain(http.MethodGet, path, h) }

func (t router) both(path string, h web.Handler) {
	t.get(path, h)
	t.plain(http.MethodHead, path, h)
}

// post adds a route for posts. The channel is in the path; without it, it is the default
// channel.
func (t router) post(path string, h func(*post.Publisher, http.ResponseWriter, *http.Request, string) error) {
	t.add(http.MethodPost, path, func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		channel, err := history.ParseChannel(params.ByName("channel"))
		if err == nil {
			err = h(t.posts, w, r, channel)
		}
		if err != nil {
			t.responder.Error(w, r, err)
		}
	})
}

// channel adds a route for requests about the channel in the path.
func (t router) channel(path string, h func(http.ResponseWriter, *http.Request, string) error) {
	t.add(http.MethodGet, path, func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		channel, err := history.ParseChannel(params.ByName("channel"))
		if err == nil {
			err = h(w, r, channel)
		}
		if err != nil {
			t.responder.Error(w, r, err)
		}
	})
}

// poll adds a route for polls in a dialect. The channel is found as for post.
func (t router) poll(path string, dialect poll.Dialect) {
	t.add(http.MethodGet, path, func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		t.polls.Poll(w, r, params.ByName("channel"), dialect)
	})
}

// sub adds a route for both polls and streams: the request tells which it wants.
func (t router) sub(path string) {
	t.add(http.MethodGet, path, func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		if way := stream.WayOf(r); way != nil {
			t.streams.Stream(w, r, params.ByName("channel"), way)
			return
		}
		t.polls.Poll(w, r, params.ByName("channel"), poll.Sub)
	})
}
