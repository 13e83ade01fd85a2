package bus

import (
	"context"
	"errors"
	"io"
	"log"

	"github.com/go-zeromq/zmq4"
)

// quiet drops the log lines of zmq4 about connections that end.
var quiet = zmq4.WithLogger(log.New(io.Discard, "", 0))

// subOptions are the options of every SUB. The ID saves making a UUID that nobody reads.
var subOptions = []zmq4.Option{
	zmq4.WithID(zmq4.SocketIdentity("sub")), zmq4.WithSecurity(handshake{}), zmq4.WithDialerMaxRetries(0), quiet,
}

// listen opens a PUB socket.
func listen() (zmq4.Socket, *listener, error) {
	l := newListener()
	ctx := context.WithValue(context.Background(), listenerKey{}, l)
	pub := zmq4.NewPub(ctx, zmq4.WithSecurity(handshake{l}), quiet)
	return pub, l, pub.Listen(endpoint)
}

// subSocket is a SUB socket and its link to a PUB.
type subSocket struct {
	sub  zmq4.Socket
	link *link
}

// dial connects a new SUB to a PUB, and returns when its subscription is live: each later
// frame of the topic rings the bell.
func dial(to *listener, topic string, b bell) (*subSocket, error) {
	l := newLink(to, b)
	sub := zmq4.NewSub(context.WithValue(context.Background(), linkKey{}, l), subOptions...)
	s := &subSocket{sub: sub, link: l}
	if err := sub.Dial(endpoint); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := sub.SetOption(zmq4.OptionSubscribe, topic); err != nil {
		return nil, errors.Join(err, s.close())
	}
	l.settle()
	return s, nil
}

// close closes the SUB, and makes the PUB forget it.
func (s *subSocket) close() error {
	s.link.close()
	return s.sub.Close()
}
