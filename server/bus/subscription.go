package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-zeromq/zmq4"
)

var (
	// ErrNothing is the answer of a look that saw nothing yet.
	ErrNothing = errors.New("nothing to receive")

	// ErrTimeout is the answer when nothing came in time.
	ErrTimeout = errors.New("nothing was published in time")
)

// options of every SUB. The ID saves it the making of a UUID that nobody reads.
var subOptions = []zmq4.Option{
	zmq4.WithID(zmq4.SocketIdentity("sub")), zmq4.WithSecurity(new(handshake)), zmq4.WithDialerMaxRetries(0), quiet,
}

// Subscription is a live SUB socket on one channel. One goroutine at a time
// may use it.
type Subscription struct {
	bus        *Bus
	shard      *shard
	channel    string
	socket     zmq4.Socket
	in         *pipe       // what the socket reads
	deadline   time.Time   // of waits, zero without a timeout
	timer      *time.Timer // rings at the deadline or before it, nil before the first
	ringsAt    time.Time   // when timer does
	releasedAt time.Time
}

// open connects a new SUB and returns when its subscription is live.
func (b *Bus) open(s *shard, channel, topic string) (*Subscription, error) {
	cfg := &socketConfig{onMerge: b.onMerge}
	ctx := context.WithValue(context.Background(), socketKey{}, cfg)
	socket := zmq4.NewSub(ctx, subOptions...)
	fail := func(err error) (*Subscription, error) {
		if b.closed.Load() {
			err = ErrClosed
		}
		return nil, errors.Join(fmt.Errorf("subscribe to %q: %w", channel, err), socket.Close())
	}
	if err := socket.Dial(s.endpoint); err != nil {
		return fail(err)
	}
	if err := socket.SetOption(zmq4.OptionSubscribe, topic); err != nil {
		return fail(err)
	}
	if !cfg.conn.out.idle() {
		return fail(ErrClosed)
	}
	cfg.conn.settle()
	return &Subscription{bus: b, shard: s, channel: channel, socket: socket, in: cfg.conn.pipe}, nil
}

// SetTimeout makes waits end so long from now; 0 is never, as it is at first.
func (s *Subscription) SetTimeout(timeout time.Duration) {
	s.deadline = time.Time{}
	if timeout > 0 {
		s.deadline = time.Now().Add(timeout)
	}
}

// opening is a request to open a SUB.
type opening struct {
	channel string
	sub     *Subscription
	err     error
	done    chan struct{} // closed when sub or err is there
}

// openAside has a SUB opened by the shard's own goroutine. zmq4 goes deep to
// connect a socket, and a stack that has grown for that does not shrink while
// its request waits.
func (b *Bus) openAside(s *shard, channel string) (*Subscription, error) {
	o := &opening{channel: channel, done: make(chan struct{})}
	select {
	case s.openings <- o:
		<-o.done
		return o.sub, o.err
	case <-b.done:
		return nil, ErrClosed
	}
}

// openAll opens what is asked for until the bus is closed.
func (b *Bus) openAll(s *shard) {
	for {
		select {
		case o := <-s.openings:
			b.connects.Add(1)
			o.sub, o.err = b.open(s, o.channel, topic(o.channel))
			close(o.done)
		case <-b.done:
			return
		}
	}
}

// Ready receives when there may be something new for Look to see. Tokens merge,
// and some come for nothing: look before each wait.
func (s *Subscription) Ready() <-chan struct{} { return s.in.gate.ready }

// RingAt makes this subscription ring where another one does, until it is released:
// then one wait is for both.
func (s *Subscription) RingAt(other *Subscription) { s.in.ringAt(other.in.gate.ready) }

// Look returns nil when a message can be received, as zmq_poll does for one
// socket, else [ErrNothing], or [ErrTimeout] after the timeout, or [ErrClosed]
// when nothing will come any more.
func (s *Subscription) Look() error {
	holds, closed := s.in.look()
	switch {
	case holds:
		return nil
	case closed:
		return ErrClosed
	case s.deadline.IsZero():
		return ErrNothing
	}
	now := time.Now()
	if !now.Before(s.deadline) {
		return ErrTimeout
	}
	s.ringInTime(now)
	return ErrNothing
}

// ringInTime sees to it that the timer rings by the deadline. Messages end most
// waits long before, so a timer that is to ring too early is left alone: the look
// that follows sets it anew.
func (s *Subscription) ringInTime(now time.Time) {
	if s.ringsAt.After(now) && !s.ringsAt.After(s.deadline) {
		return
	}
	s.ringsAt = s.deadline
	if wait := s.deadline.Sub(now); s.timer == nil {
		s.timer = time.AfterFunc(wait, s.in.wake)
	} else {
		s.timer.Reset(wait)
	}
}

// Recv waits for the next message and returns its body. When ctx ends first it
// returns the context's cause, and else an error as Look.
func (s *Subscription) Recv(ctx context.Context) ([]byte, error) {
	err := s.Look()
	for err == ErrNothing {
		select {
		case <-s.Ready():
			err = s.Look()
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	s.in.permit()
	msg, err := s.socket.Recv()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return msg.Frames[0][len(topic(s.channel)):], nil
}

// Clear drops what has come so far.
func (s *Subscription) Clear() { s.in.discard() }

// Release gives the subscription back; the caller must not use it afterwards.
// It stays connected for a while for the next poll of its channel.
func (s *Subscription) Release() {
	s.in.ringAt(nil)
	if s.in.closed() {
		s.bus.used.leave()
		s.close()
		return
	}
	s.bus.release(s)
}

func (s *Subscription) close() {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.socket.Close()
}
