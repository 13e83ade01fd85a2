// Package conns holds the server's connections. It adds what net/http does not do:
//
//   - The number of connections is limited, for each address and in all. A connection over
//     a limit gets an error and is closed.
//   - An error that net/http answers by itself, before any handler sees the request,
//     becomes JSON. It is logged and counted like other refusals.
//   - A client that does not read its answer is reset.
//   - One epoll set notices the hang-ups of all connections.
//   - A request may wait without a goroutine, see [Wait]. From then on, the loop serves the
//     connection. A request that is not for the loop gives the connection back to net/http.
//   - HTTP/2 frames and requests that reach no handler are limited.
package conns

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"pubsub/server/fairshare"
	"pubsub/server/machine"
	"pubsub/server/rates"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// Conns is the set of all connections of a server. Make it with [New]. Its methods are safe
// for concurrent use, except Prepare and Close.
type Conns struct {
	// InLoop tells whether the loop may serve a request on a connection that it has. If InLoop
	// is nil, no request can wait. Set it before Prepare.
	InLoop func(r *http.Request) bool

	// Pace waits until a new connection of an address may be read. secure tells that the
	// connection has TLS. An error, a [web.Problem] or that of ctx, means that it may not be
	// read. Pace is not called behind proxies, and not at all if it is nil. Set it before
	// Prepare.
	Pace func(ctx context.Context, address netip.Addr, secure bool) error

	responder    *web.Responder
	acceptFailed func() // called for each failure of Accept
	unused       unused
	poller       *poller
	loop         *loop         // nil if poller is
	lastID       atomic.Uint64 // the last Conn.id given

	http2      *http2         // set by Prepare
	frameRates *rates.Limiter // of each address; only for frames that cost something
	streams    http2Streams
	bounded    bool // connections come from clients, not from proxies
	secure     bool // connections have TLS; set by Prepare

	perAddress int // 0 is no limit: behind a proxy all connections have the proxy's address
	total      int // 0 is no limit

	mu   sync.Mutex // guards open and Conn.holding; no other lock is taken under it
	open fairshare.Holdings[netip.Addr, *Conn]
}

// New returns an empty set with the limits of the settings. acceptFailed is called each time
// that Accept fails.
func New(s *settings.Settings, responder *web.Responder, acceptFailed func()) *Conns {
	o := &Conns{responder: responder, acceptFailed: acceptFailed, bounded: s.TrustedHops == 0}
	o.frameRates = rates.New(rates.Rate{PerSecond: s.RequestRate, Burst: s.RequestRate})
	if s.TrustedHops == 0 {
		o.perAddress = s.MaxConnectionsPerAddress
	}
	if n := machine.Descriptors(); n > 0 {
		o.total = max(n-settings.SpareDescriptors, 1)
	}
	return o
}

// Prepare sets the hooks of a server, and returns the listener on which to serve. Call
// Prepare once, and Close after the server's last request.
func (o *Conns) Prepare(server *http.Server, l net.Listener) net.Listener {
	log := o.responder.Log
	hangups, err := newPoller(l)
	if err != nil {
		log.Warn("hang-ups cannot be watched for with epoll, so each poll takes a goroutine more", "error", err)
	}
	if err := boundSendBuffers(l); err != nil {
		log.Warn("send buffers keep the system's size, so the kernel may hold megabytes for each client that does not read", "error", err)
	}
	o.secure = server.TLSConfig != nil
	o.http2 = o.serveHTTP2(server, l.Addr())
	o.poller, server.ConnContext, server.ConnState = hangups, o.connContext, o.track
	if hangups != nil {
		o.loop = newLoop(o, hangups, server, newBack(server, l.Addr()))
		server.RegisterOnShutdown(o.loop.shut)
	}
	return &listener{Listener: l, conns: o}
}

// Limit returns a listener for another http.Server beside that of Prepare. Its connections
// are counted and limited with all others.
func (o *Conns) Limit(l net.Listener) net.Listener { return &listener{Listener: l, conns: o} }

// Drain closes the loop's idle connections, and waits until the others are answered and
// closed. If ctx ends first, Drain returns its error. Call Drain after http.Server.Shutdown,
// which does the same for net/http's connections.
func (o *Conns) Drain(ctx context.Context) error {
	if o.loop == nil {
		return nil
	}
	return o.loop.drain(ctx)
}

// Close ends what Prepare began. It closes the loop's connections.
func (o *Conns) Close() error {
	o.http2.end()
	if o.loop != nil {
		o.loop.close()
	}
	err := o.poller.Close()
	if o.loop != nil {
		o.loop.ends.Wait()
	}
	return err
}

// Open returns how many connections are open.
func (o *Conns) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.open.Weights.Total()
}

// CloseUnused closes the connections that have sent nothing yet. From now on, each new
// connection is closed at once.
func (o *Conns) CloseUnused() { o.unused.close() }

// track is http.Server.ConnState.
func (o *Conns) track(c net.Conn, state http.ConnState) {
	ours := of(c)
	if ours == nil {
		return
	}
	switch state {
	case http.StateIdle:
		ours.handled.Store(false)
		return
	case http.StateHijacked: // the handler that hijacked the connection needs every read
		ours.skipProbe.Store(false)
		ours.stint.over.Store(true)
	}
	o.unused.track(ours, state)
}

// connContext is http.Server.ConnContext. The context ends when the client hangs up, and
// holds the stint of the connection as a value.
func (o *Conns) connContext(ctx context.Context, c net.Conn) context.Context {
	ours := of(c)
	if ours == nil {
		return ctx
	}
	ours.base = ctx
	ctx, cancel := context.WithCancelCause(ctx)
	ours.attach(cancel)
	watched := ours.forget != nil && c == net.Conn(ours)
	ours.skipProbe.Store(watched)
	_, tcp := ours.Conn.(*net.TCPConn)
	ours.canLoop = tcp && ours.forget != nil
	ours.context = ours.withStint(ctx)
	return ours.context
}
