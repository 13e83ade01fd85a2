// Package conns is what a connection is here. It has manners that net/http's lack: what
// net/http answers by itself, before any handler sees the request, is JSON, logged and
// counted as our own refusals are; a client that does not take its answer in is reset;
// hang-ups are seen for all connections at once; and what is too many is turned away.
package conns

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/machine"
	"pubsub/server/settings"
	"pubsub/server/shares"
	"pubsub/server/web"
)

// Conns is all connections of a server.
type Conns struct {
	responder    *web.Responder
	acceptFailed func() // counts
	newcomers    newcomers
	hangups      *hangups

	perAddress int // 0 is no limit, as behind a proxy that brings everybody
	total      int // 0 is no limit

	mu   sync.Mutex // guards the next one, and Conn.holding
	open shares.Holdings[netip.Addr, *Conn]
}

// New takes the limits of the settings. acceptFailed is called for each connection that
// could not be taken.
func New(s *settings.Settings, responder *web.Responder, acceptFailed func()) *Conns {
	o := &Conns{responder: responder, acceptFailed: acceptFailed}
	if s.TrustedHops == 0 {
		o.perAddress = s.MaxConnectionsPerAddress
	}
	if n := machine.Descriptors(); n > 0 {
		o.total = max(n-settings.SpareDescriptors, 1)
	}
	return o
}

// Prepare makes a listener of ours for a server, once. Close after the server's last
// request.
func (o *Conns) Prepare(server *http.Server, l net.Listener) net.Listener {
	log, err := o.responder.Log, error(nil)
	if o.hangups, err = watchHangups(l); err != nil {
		log.Warn("hang-ups cannot be watched for with epoll, so each poll takes a goroutine more", "error", err)
	}
	if err := boundSendBuffers(l); err != nil {
		log.Warn("send buffers keep the system's size, so the kernel may hold megabytes for each client that does not read", "error", err)
	}
	server.ConnContext, server.ConnState = o.connContext, o.track
	return &listener{Listener: l, conns: o}
}

// Close gives back what Prepare took.
func (o *Conns) Close() error { return o.hangups.Close() }

// Open is how many connections are open.
func (o *Conns) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open.Weights.Total()
}

// CloseNewcomers hangs up on those that have sent nothing yet, and on those who still
// come and send nothing.
func (o *Conns) CloseNewcomers() { o.newcomers.close() }

// track is for http.Server.
func (o *Conns) track(c net.Conn, state http.ConnState) {
	ours := of(c)
	if ours == nil {
		return
	}
	switch state {
	case http.StateIdle:
		ours.handled.Store(false)
		return
	case http.StateHijacked: // who took it over reads for itself
		ours.skips.Store(false)
	}
	o.newcomers.track(ours, state)
}

// connContext is for http.Server: the context ends when the client hangs up, and knows
// its connection.
func (o *Conns) connContext(ctx context.Context, c net.Conn) context.Context {
	ours := of(c)
	if ours == nil {
		return ctx
	}
	ctx, ours.end = context.WithCancelCause(ctx)
	ours.forget = o.hangups.watch(ours.Conn, func() { ours.end(nil) })
	ours.skips.Store(ours.forget != nil && c == net.Conn(ours))
	return context.WithValue(ctx, connKey{}, ours)
}
