package conns

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// http2 serves the connections that have agreed on HTTP/2. net/http would do so by itself,
// but would hide the frames, and a client could send any number of those that reach no
// handler. So the connection goes without its TLS to an http.Server of its own, see [http2Conn].
type http2 struct {
	conns  *Conns
	server *http.Server
	begun  sync.Once // starts server
	queue  chan net.Conn
	addr   net.Addr
	closed chan struct{}
	close  sync.Once
}

// serveHTTP2 makes http2 serve the connections of front that have agreed on HTTP/2.
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
	front.RegisterOnShutdown(func() { _ = h.server.Shutdown(context.Background()) }) // front waits for these connections
	return h
}

// serve serves a connection, and returns when it is closed.
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

// handle makes a request look as if it came over TLS, which it did, and calls the handler.
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

// end closes the connections and the listener.
func (h *http2) end() { _ = h.server.Close(); _ = h.Close() }
