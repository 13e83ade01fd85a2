package conns

import (
	"net"
	"net/http"
	"sync"
)

// back is a listener. It returns the connections that the loop gives back to net/http. They
// were counted when they were accepted, and are not counted again.
type back struct {
	addr   net.Addr
	begun  sync.Once // starts server
	server *http.Server
	some   chan struct{} // queue may have a connection
	closed chan struct{} // closed when the listener is

	mu    sync.Mutex // guards queue and ended; no other lock is taken under it
	queue []net.Conn
	ended bool
}

func newBack(server *http.Server, addr net.Addr) *back {
	return &back{server: server, addr: addr, some: make(chan struct{}, 1), closed: make(chan struct{})}
}

// push gives a connection back. It returns false if the server is closed.
func (b *back) push(c net.Conn) (taken bool) {
	b.begun.Do(func() { go b.server.Serve(b) })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.queue = append(b.queue, c)
	select {
	case b.some <- struct{}{}:
	default:
	}
	return true
}

// Accept implements [net.Listener].
func (b *back) Accept() (net.Conn, error) {
	for {
		if c := b.pop(); c != nil {
			return c, nil
		}
		select {
		case <-b.some:
		case <-b.closed:
			return nil, net.ErrClosed
		}
	}
}

func (b *back) pop() net.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil
	}
	c := b.queue[0]
	b.queue[0], b.queue = nil, b.queue[1:]
	return c
}

// Close implements [net.Listener]. Connections in the queue are closed.
func (b *back) Close() error {
	b.mu.Lock()
	queue, ended := b.queue, b.ended
	b.queue, b.ended = nil, true
	b.mu.Unlock()
	if !ended {
		close(b.closed)
	}
	for _, c := range queue {
		_ = c.Close()
	}
	return nil
}

// Addr implements [net.Listener].
func (b *back) Addr() net.Addr { return b.addr }
