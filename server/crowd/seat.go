package crowd

import (
	"sync/atomic"

	"pubsub/server/history"
)

// Seat is the place of a reader in its crowd. The zero value is out. One goroutine at a time
// may join with it. Its methods are safe for concurrent use.
type Seat struct {
	shard atomic.Pointer[shard] // nil if the reader is out; changed with the lock of the old or new shard held
	index int32                 // in a list of the shard; the shard's lock guards index and ahead
	ahead bool                  // the list is shard.ahead
}

func (seat *Seat) seat() *Seat { return seat }

// take puts the reader into a shard. The shard's lock is held.
func (seat *Seat) take(s *shard, index int, ahead bool) {
	seat.index, seat.ahead = int32(index), ahead
	seat.shard.Store(s)
}

// Seated tells whether the reader is in or ahead. That may change at any time.
func (seat *Seat) Seated() bool { return seat.shard.Load() != nil }

// Do calls f with the shard's lock held. If the reader is out, it does not call f and returns
// false. at is up to where the reader has everything: do not change it. f must not wait, nor
// call methods of a seat or a crowd. If f returns a function, the reader is out, and the
// function is called with no lock held.
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

// Drop takes the reader out, and returns up to where it has everything. was is false if the
// reader was out.
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

// Place returns up to where the reader has everything. seated is false if the reader is out.
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
		s.mu.Unlock() // the reader has moved meanwhile
	}
}

// do calls f, and takes the reader out if f returns a function. mu is held, and released.
func (s *shard) do(seat *Seat, f func(at []history.Cursor) (leave func())) (leave func()) {
	defer s.mu.Unlock()
	if leave = f(s.placeOf(seat)); leave != nil {
		s.remove(seat)
	}
	return leave
}
