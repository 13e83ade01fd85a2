package clients_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// foreign is what answers for a server that is away: its proxy, a CDN, or the network of a hotel.
var foreign = []struct {
	name   string
	answer func(w http.ResponseWriter)
}{
	{"404 of a router", func(w http.ResponseWriter) { http.Error(w, "404 page not found", http.StatusNotFound) }},
	{"302 to a page", func(w http.ResponseWriter) {
		w.Header().Set("Location", "/maintenance")
		w.WriteHeader(http.StatusFound)
	}},
	{"200 in HTML", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<h1>Back soon.</h1>")
	}},
	{"200 in JSON", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	}},
	{"403 in JSON of others", func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error":"forbidden"}`)
	}},
	{"401 of a proxy", func(w http.ResponseWriter) {
		w.Header().Set("WWW-Authenticate", "Basic")
		http.Error(w, "who?", http.StatusUnauthorized)
	}},
	{"400 without a body", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) }},
	{"410", func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }},
	{"429 of CDN", func(w http.ResponseWriter) { http.Error(w, "<h1>Slow down</h1>", http.StatusTooManyRequests) }},
	{"200 empty", func(http.ResponseWriter) {}},
	{"200 null", func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "null")
	}},
	{"cut", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "500")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"error":`)
	}},
}

// Whatever answers while the server is away, readers and posts go on when it is back, and nothing is lost or doubled.
func TestAnswersThatAreNotTheServers(t *testing.T) {
	t.Parallel()
	s := pubsubtest.Start(t)
	proxy := httputil.NewSingleHostReverseProxy(s.URL)
	proxy.FlushInterval = -1
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of connections that are cut
	var away atomic.Pointer[func(http.ResponseWriter)]
	var answered atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := away.Load(); answer != nil {
			answered.Add(1)
			(*answer)(w)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	t.Cleanup(front.CloseClientConnections)

	readers := start(t, front.URL, "all", "room")
	var said []string
	say := func(text string) {
		s.Post(t, "/pub/room?message="+url.QueryEscape(text), pubsubtest.Body{})
		said = append(said, text)
	}
	heard := make([][]string, len(readers))
	hear := func() {
		for i, r := range readers {
			for len(heard[i]) < len(said) {
				heard[i] = append(heard[i], r.next().Message)
			}
			require.ElementsMatch(t, said, heard[i], r.name)
		}
	}
	say("before")
	hear()
	answers := foreign
	if testing.Short() {
		answers = foreign[:4] // each takes 4 s
	}
	for _, a := range answers {
		name := a.name
		away.Store(&a.answer)
		front.CloseClientConnections()
		var posts sync.WaitGroup
		for _, d := range drivers {
			text := d.name + " during " + name
			said = append(said, text)
			posts.Go(func() { run(t, d.post(t, front.URL, "room"), []string{text}) })
		}
		before := answered.Load()
		require.Eventually(t, func() bool { return answered.Load()-before > int64(3*len(readers)) }, 2*pubsubtest.Patience, 10*time.Millisecond, name)
		away.Store(nil)
		posts.Wait()
		say("after " + name)
		hear()
	}
}
