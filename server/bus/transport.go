package bus

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zeromq/zmq4"
	zmqtransport "github.com/go-zeromq/zmq4/transport"
)

// scheme names the transport in ZeroMQ endpoints: memory://name.
const scheme = "memory"

var memory = &transport{listeners: make(map[string]*listener)}

func init() {
	if err := zmq4.RegisterTransport(scheme, memory); err != nil {
		panic(err) // only if somebody else took the name
	}
}

// transport is zmq4's way to our connections: listeners by name.
type transport struct {
	listenersMu sync.Mutex
	listeners   map[string]*listener
}

var _ zmqtransport.Transport = (*transport)(nil)

// Addr implements zmq4's Transport: an endpoint's name is its address.
func (*transport) Addr(name string) (string, error) { return name, nil }

// Listen implements zmq4's Transport.
func (t *transport) Listen(_ context.Context, name string) (net.Listener, error) {
	t.listenersMu.Lock()
	defer t.listenersMu.Unlock()
	if t.listeners[name] != nil {
		return nil, fmt.Errorf("%s://%s is in use", scheme, name)
	}
	l := &listener{name: addr(name), dialed: make(chan *conn), done: make(chan struct{})}
	t.listeners[name] = l
	return l, nil
}

// socketKey finds the *socketConfig in the context of a socket that dials.
type socketKey struct{}

// socketConfig is how a SUB tells the transport what connection it wants, and
// the transport gives it to the SUB: zmq4 has no other way through.
type socketConfig struct {
	onMerge func()
	conn    *conn
}

// Dial implements zmq4's Transport. With a *socketConfig in its context the
// connection is a SUB's: never waited for, and read through a gate.
func (t *transport) Dial(ctx context.Context, _ zmqtransport.Dialer, name string) (net.Conn, error) {
	l := t.listener(name)
	if l == nil {
		return nil, fmt.Errorf("nobody listens on %s://%s", scheme, name)
	}
	in, out := newPipe(), newPipe()
	cfg, isSub := ctx.Value(socketKey{}).(*socketConfig)
	if isSub {
		in.gate = newGate()
		in.gate.onMerge = cfg.onMerge
	}
	near := &conn{pipe: in, name: l.name, out: out}
	far := &conn{pipe: out, name: l.name, out: in}
	if isSub {
		near.peer = far
		cfg.conn = near
	}
	select {
	case l.dialed <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (t *transport) listener(name string) *listener {
	t.listenersMu.Lock()
	defer t.listenersMu.Unlock()
	return t.listeners[name]
}

func (t *transport) remove(l *listener) {
	t.listenersMu.Lock()
	defer t.listenersMu.Unlock()
	if t.listeners[string(l.name)] == l {
		delete(t.listeners, string(l.name))
	}
}

type listener struct {
	name   addr
	dialed chan *conn
	done   chan struct{}
	once   sync.Once
	newest *conn // accepted last; of the goroutine that accepts
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialed:
		l.newest = c
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		memory.remove(l)
		close(l.done)
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.name }

type addr string

func (addr) Network() string  { return scheme }
func (a addr) String() string { return string(a) }

// conn is one end of a connection: an ordinary net.Conn.
type conn struct {
	*pipe // what this end reads
	name  addr
	out   *pipe

	// Of a SUB's connection; see settle.
	peer    *conn                     // the PUB's end, at the SUB's
	asPeer  atomic.Pointer[zmq4.Conn] // what zmq4 makes of the PUB's end
	settled atomic.Bool               // the PUB's end: its reader has left
}

// settle ends the goroutine in which the PUB reads what this SUB sends, once it
// has read the subscription: nothing else will come. That is 4 KB less for each
// pending poll. What that goroutine was also for, to notice that the SUB has
// gone, is then done by Close.
func (c *conn) settle() {
	c.peer.settled.Store(true)
	c.out.endReader()
}

func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close wakes everybody who waits at either end.
func (c *conn) Close() error {
	if c.settled.CompareAndSwap(true, false) {
		return nil // the reader that settle has ended tidies up; the rest is in use
	}
	c.pipe.closeReader()
	c.out.closeWriter()
	if c.peer != nil {
		if known := c.peer.asPeer.Load(); known != nil {
			known.SetClosed() // the PUB forgets it
		}
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.name }
func (c *conn) RemoteAddr() net.Addr { return c.name }

func (c *conn) SetDeadline(t time.Time) error {
	c.pipe.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.pipe.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}
