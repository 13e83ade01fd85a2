package bus

import (
	"errors"
	"sync/atomic"
	"time"
)

// ErrTimeout is the answer when nothing was published in time.
var ErrTimeout = errors.New("nothing was published in time")

// Subscription is a live SUB socket on one channel. One goroutine at a time
// may use it.
type Subscription struct {
	bus        *Bus
	channel    string
	socket     *subSocket
	ready      chan struct{}                // holds a token when there may be something new
	elsewhere  atomic.Pointer[Subscription] // where it rings instead, if anywhere
	deadline   time.Time                    // of waits, zero without a timeout
	timer      *time.Timer                  // rings at the deadline, nil before the first
	releasedAt time.Time
}

// ring leaves a token for whoever waits, unless there is one.
func (s *Subscription) ring(frame []byte) {
	at := s
	if other := s.elsewhere.Load(); other != nil {
		at = other
	}
	select {
	case at.ready <- struct{}{}:
	default:
		if frame != nil {
			s.bus.merged.Add(1)
		}
	}
}

// SetTimeout makes Err return [ErrTimeout] so long from now; 0 is never, as it is
// at first.
func (s *Subscription) SetTimeout(timeout time.Duration) {
	s.deadline = time.Time{}
	if timeout <= 0 {
		return
	}
	s.deadline = time.Now().Add(timeout)
	if s.timer == nil {
		s.timer = time.AfterFunc(timeout, func() { s.ring(nil) })
	} else {
		s.timer.Reset(timeout)
	}
}

// Ready receives when there may be something new: the channel rang, or Err returns
// an error. Rings merge into one, and some are of what was seen already.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// RingAt makes this subscription ring where another one does, until it is released:
// then one wait is for both. What rang before may be forgotten.
func (s *Subscription) RingAt(other *Subscription) { s.elsewhere.Store(other) }

// Err returns nil as long as it pays to wait for Ready, then [ErrTimeout], or
// [ErrClosed] when the bus is. Ask before each wait: Clear may have dropped the
// ring that came with it.
func (s *Subscription) Err() error {
	switch {
	case s.bus.closed.Load():
		return ErrClosed
	case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
		return ErrTimeout
	}
	return nil
}

// Clear drops what has rung so far.
func (s *Subscription) Clear() {
	select {
	case <-s.ready:
	default:
	}
}

// Release gives the subscription back; the caller must not use it afterwards.
// It stays connected for a while for the next poll of its channel.
func (s *Subscription) Release() {
	s.elsewhere.Store(nil)
	s.deadline = time.Time{}
	s.bus.released.put(s)
}

// close lets go of the socket, too. zmq4 keeps for a while what it was told to
// forget: with the socket that is 2.4 KB for each SUB of a crowd, without it 0.5.
func (s *Subscription) close() {
	if s.timer != nil {
		s.timer.Stop()
	}
	_ = s.socket.close()
	s.socket, s.timer = nil, nil
}
