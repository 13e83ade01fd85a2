// Package server is the HTTP side of pubsub.
//
// To read it: routes.go has every URL. original.go is the Python original and
// shows a message's whole way; cursor.go, event.go, api.go and chat.go are
// further ways to the same hub. What they share: input.go reads what was
// posted, poll.go waits, respond.go answers.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/hub"
)

// Server answers every route. Close it after the last request.
type Server struct {
	config Config
	log    *slog.Logger
	bus    *bus.Bus
	memory *history.Memory
	hub    *hub.Hub
	once   *hub.Once[posted]
	assets *assets
	places *places

	posts   posts
	handler http.Handler
}

// New makes a server that serves the files of static, and the template
// index.html of templates as its page.
func New(config Config, static, templates fs.FS, log *slog.Logger) (*Server, error) {
	assets, err := loadAssets(static, templates)
	if err != nil {
		return nil, err
	}
	b, err := bus.New(bus.Options{})
	if err != nil {
		return nil, fmt.Errorf("start the message bus: %w", err)
	}
	memory := history.NewMemory(history.Options{
		Messages: config.HistoryMessages,
		Age:      config.HistoryAge,
		Channels: config.MaxChannels,
	})
	s := &Server{
		config: config,
		log:    log,
		bus:    b,
		memory: memory,
		hub:    hub.New(b, memory),
		once:   hub.NewOnce[posted](),
		assets: assets,
		places: newPlaces(),
	}
	s.handler = s.routes()
	return s, nil
}

// Close gives back what New took.
func (s *Server) Close() error {
	return errors.Join(s.bus.Close(), s.memory.Close())
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers on l until ctx ends. Then it drains: see drain.go.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, endPolls := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endPolls(nil)
	var newcomers newcomers
	web := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       s.places.connContext,
		ConnState:         newcomers.track,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than a router keeps its end, see Heroku's 90 s
		MaxHeaderBytes:    32 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.drain(web, endPolls, &newcomers)
	<-served
	return nil
}

// allowed is a router's Allow without the OPTIONS that it always adds.
func allowed(allow string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(allow, ", OPTIONS", ""), "OPTIONS, "), "OPTIONS")
}
