package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zeromq/zmq4"
)

// ErrCutOff is what Recv returns when this subscription fell too far behind,
// or the bus was closed. Release it and subscribe anew.
var ErrCutOff = errors.New("the subscription was cut off")

// subID saves each SUB the making of a UUID that nobody reads.
var subID = zmq4.WithID(zmq4.SocketIdentity("sub"))

// Subscription is a live SUB socket on one channel. One goroutine at a time
// may use it.
type Subscription struct {
	bus        *Bus
	shard      *shard
	channel    string
	socket     zmq4.Socket
	conn       *conn
	releasedAt time.Time
}

// open connects a new SUB and returns when its subscription is live.
func (b *Bus) open(s *shard, channel string) (*Subscription, error) {
	b.connects.Add(1)
	cfg := &socketConfig{limit: b.options.Buffer, onCutOff: func() { b.cutOffs.Add(1) }}
	ctx := context.WithValue(context.Background(), socketKey{}, cfg)
	socket := zmq4.NewSub(ctx, subID, quiet, zmq4.WithDialerMaxRetries(0))
	fail := func(err error) (*Subscription, error) {
		if b.closed.Load() {
			err = ErrClosed
		}
		return nil, errors.Join(fmt.Errorf("subscribe to %q: %w", channel, err), socket.Close())
	}
	if err := socket.Dial(s.endpoint); err != nil {
		return fail(err)
	}
	if err := socket.SetOption(zmq4.OptionSubscribe, topic(channel)); err != nil {
		return fail(err)
	}
	if !cfg.conn.out.idle() {
		return fail(ErrCutOff)
	}
	return &Subscription{bus: b, shard: s, channel: channel, socket: socket, conn: cfg.conn}, nil
}

// Recv waits for the next message on the channel and returns its body. When
// ctx ends first it returns the context's cause, and [ErrCutOff] when nothing
// will come any more.
func (s *Subscription) Recv(ctx context.Context) ([]byte, error) {
	for {
		if s.conn.in.closed() {
			return nil, ErrCutOff
		}
		s.conn.in.permit()
		stop := context.AfterFunc(ctx, s.conn.in.wake)
		msg, err := s.socket.Recv()
		stop()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", ErrCutOff, err)
		case len(msg.Frames) == 2:
			return msg.Frames[1], nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		// Woken by the end of an earlier poll's context.
	}
}

// Release gives the subscription back; the caller must not use it afterwards.
// It stays connected for a while for the next poll of its channel.
func (s *Subscription) Release() {
	if s.conn.in.closed() {
		s.socket.Close()
		return
	}
	s.bus.release(s)
}
