package crowd

import (
	"sync/atomic"

	"pubsub/server/history"
)

// Seat is where a reader is in its crowd. Its zero value is out. Only one goroutine at a
// time may join with it; the methods may be called by any.
type Seat struct {
	shard atomic.Pointer[shard] // nil if it is out; changed with the lock of the shard held that it comes to or leaves
	index int32                 // in the list of the shard, whose lock guards this and the next one
	ahead bool                  // it is in the list of those ahead
}

func (seat *Seat) seat() *Seat { return seat }

// take has the reader be in a shard. The shard's lock is held.
func (seat *Seat) take(s *shard, index int, ahead bool) {
	seat.index, seat.ahead = int32(index), ahead
	seat.shard.Store(s)
}

// Seated tells whether the reader is in or ahead. It may change at any time.
func (seat *Seat) Seated() bool { return seat.shard.Load() != nil }

// Do calls f with the lock of a shard held, unless the reader is out: then seated is false.
// at is up to where the reader has everything: do not change it. f must not wait, nor call
// methods of a seat or a crowd. If it returns a function, the reader is out, and that is
// called with no lock held.
func (seat *Seat) Do(f func(at []history.Cursor) (leave func())) (seated bool) {
	s := seat.lock()
	if s == nil {
		return false
	}
	if leave := s.do(seat, f); leave != nil {
		leave()
	}
	return true
}

// Drop takes the reader out, and returns up to where it has everything. If was is false it
// was out.
func (seat *Seat) Drop() (at []history.Cursor, was bool) {
	s := seat.lock()
	if s == nil {
		return nil, false
	}
	defer s.mu.Unlock()
	at = s.placeOf(seat)
	s.remove(seat)
	return at, true
}

// Place returns up to where the reader has everything. If seated is false it is out.
func (seat *Seat) Place() (at []history.Cursor, seated bool) {
	s := seat.lock()
	if s == nil {
		return nil, false
	}
	defer s.mu.Unlock()
	return s.placeOf(seat), true
}

// lock returns the reader's shard with its lock held, nil if the reader is out.
func (seat *Seat) lock() *shard {
	for {
		s := seat.shard.Load()
		if s == nil {
			return nil
		}
		s.mu.Lock()
		if seat.shard.Load() == s {
			return s
		}
		s.mu.Unlock() // it has moved meanwhile
	}
}

// do calls f, and has the reader be out if f returns a function. mu is held, and released.
func (s *shard) do(seat *Seat, f func(at []history.Cursor) (leave func())) (leave func()) {
	defer s.mu.Unlock()
	if leave = f(s.placeOf(seat)); leave != nil {
		s.remove(seat)
	}
	return leave
}
