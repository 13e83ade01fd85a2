package conns

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// http2 serves the connections on which HTTP/2 was agreed. net/http would do so by itself,
// but then nobody sees the frames: what a client sends beneath requests would be free. So
// the connection goes to a server of its own without its TLS, see [opened].
type http2 struct {
	conns  *Conns
	server *http.Server
	begun  sync.Once // the server serves
	queue  chan net.Conn
	addr   net.Addr
	closed chan struct{}
	close  sync.Once
}

// serveHTTP2 has connections of front on which HTTP/2 was agreed served.
func (o *Conns) serveHTTP2(front *http.Server, addr net.Addr) *http2 {
	h := &http2{conns: o, queue: make(chan net.Conn), addr: addr, closed: make(chan struct{})}
	h.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.handle(front.Handler, w, r) }),
		ConnContext:       func(_ context.Context, c net.Conn) context.Context { return of(c).context },
		ConnState:         o.track,
		Protocols:         new(http.Protocols),
		ErrorLog:          front.ErrorLog,
		ReadHeaderTimeout: front.ReadHeaderTimeout,
		IdleTimeout:       front.IdleTimeout,
		MaxHeaderBytes:    front.MaxHeaderBytes,
	}
	h.server.Protocols.SetUnencryptedHTTP2(true)
	front.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) { h.serve(c) },
	}
	front.RegisterOnShutdown(func() { _ = h.server.Shutdown(context.Background()) }) // front waits for the connections
	return h
}

// serve returns when the connection is closed.
func (h *http2) serve(c *tls.Conn) {
	ours := of(c)
	if ours == nil {
		return
	}
	h.begun.Do(func() { go h.server.Serve(h) })
	state := c.ConnectionState()
	ours.secure = &state
	opened := h.conns.openFrames(c, ours)
	select {
	case h.queue <- opened:
		<-opened.closed
	case <-h.closed:
	}
}

// handle answers a request as that of a connection with TLS.
func (h *http2) handle(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if c := Of(r); c != nil {
		r.TLS = c.secure
	}
	next.ServeHTTP(w, r)
}

// Accept implements [net.Listener].
func (h *http2) Accept() (net.Conn, error) {
	select {
	case c := <-h.queue:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (h *http2) Close() error {
	h.close.Do(func() { close(h.closed) })
	return nil
}

// Addr implements [net.Listener].
func (h *http2) Addr() net.Addr { return h.addr }

// end closes what is still open.
func (h *http2) end() { _ = h.server.Close(); _ = h.Close() }
