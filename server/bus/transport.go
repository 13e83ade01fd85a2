package bus

import (
	"context"
	"net"
	"sync"

	"github.com/go-zeromq/zmq4"
	zmqtransport "github.com/go-zeromq/zmq4/transport"
)

// endpoint is the same for every PUB here: the context of a socket tells what it listens on
// or dials with.
const (
	scheme   = "links"
	endpoint = scheme + "://bus"
)

func init() {
	if err := zmq4.RegisterTransport(scheme, transport{}); err != nil {
		panic(err) // happens only if the name is taken
	}
}

// transport makes zmq4 use a [listener] and a [link]. zmq4 passes the context of a socket to
// Listen and Dial, and nothing else of the socket.
type transport struct{}

var _ zmqtransport.Transport = transport{}

type (
	listenerKey struct{} // key of the *listener in a PUB's context
	linkKey     struct{} // key of the *link in a SUB's context
)

// Addr implements zmq4's Transport.
func (transport) Addr(name string) (string, error) { return name, nil }

// Listen implements zmq4's Transport.
func (transport) Listen(ctx context.Context, _ string) (net.Listener, error) {
	return ctx.Value(listenerKey{}).(*listener), nil
}

// Dial implements zmq4's Transport.
func (transport) Dial(ctx context.Context, _ zmqtransport.Dialer, _ string) (net.Conn, error) {
	l := ctx.Value(linkKey{}).(*link)
	select {
	case l.to.dialed <- l:
		return subEnd{l}, nil
	case <-l.to.closed:
		return nil, net.ErrClosed
	}
}

// listener gives a PUB the links of the SUBs that dial.
type listener struct {
	dialed chan *link
	closed chan struct{}
	once   sync.Once // closes closed
	newest *link     // accepted last; only for the goroutine that accepts
}

func newListener() *listener {
	return &listener{dialed: make(chan *link), closed: make(chan struct{})}
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.newest = <-l.dialed:
		return pubEnd{l.newest}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (*listener) Addr() net.Addr { return addr{} }

// addr is the address of both ends of a link.
type addr struct{}

func (addr) Network() string { return scheme }
func (addr) String() string  { return endpoint }
