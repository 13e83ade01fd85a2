package attack

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"pubsub/bench/target"
)

// twoInstances puts a second server beside the first, behind a proxy that deals
// requests to them in turn, and counts how often a reader comes back: each
// finds a cursor that it does not know.
func twoInstances(ctx context.Context, s *scene) error {
	other, err := target.Start(ctx, target.Spec{Name: "second", Command: s.Command})
	if err != nil {
		return err
	}
	defer other.Stop()
	proxy, err := startProxy(s.target.Addr.String(), other.Addr.String())
	if err != nil {
		return err
	}
	defer proxy.Close()
	const patience = 10 // polls a second
	following := min(5*time.Second, s.For)
	ctx, cancel := context.WithTimeout(ctx, following)
	defer cancel()
	n := s.follow(ctx, "http://"+proxy.Addr)
	s.note("a reader between two servers asked %d times in %s", n, brief(following))
	if float64(n) > patience*following.Seconds() {
		s.miss("a reader between two servers asks without a pause")
	}
	return nil
}

// startProxy deals requests to the backends in turn.
func startProxy(backends ...string) (*http.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var n atomic.Int64
	proxy := &http.Server{Addr: l.Addr().String(), Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backends[int(n.Add(1))%len(backends)]})
			r.SetXForwarded()
		},
		Transport: &http.Transport{DisableKeepAlives: true},
		ErrorLog:  log.New(io.Discard, "", 0), // the reader hangs up in the end
	}}
	go proxy.Serve(l)
	return proxy, nil
}

// follow reads a channel until ctx ends and returns how often it has asked.
func (s *scene) follow(ctx context.Context, base string) (polls int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	query := "since=now&timeout=0"
	for ctx.Err() == nil {
		polls++
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/sub/two?"+query, nil)
		if err != nil {
			return polls
		}
		response, err := client.Do(request)
		if err != nil {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		body, _ := io.ReadAll(response.Body) // what is cut short has no cursor
		response.Body.Close()
		s.answers.add(answer{response.StatusCode, body})
		if cursor := cursorField.FindSubmatch(body); cursor != nil {
			query = "since=" + string(cursor[1])
		}
	}
	return polls
}
