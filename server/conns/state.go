package conns

import (
	"slices"
	"sync/atomic"
)

// The states of a connection of the loop.
//
//	from       to         by
//	outside    serving    the handler, in Wait, which takes the connection over from net/http
//	idle       serving    the loop, when there is input
//	serving    idle       the loop, when there was no input
//	serving    outside    the loop, when net/http is to serve the request
//	serving    answering  the goroutine that served, when the handler has returned
//	serving    waiting    the handler, in Wait
//	waiting    answering  the first caller of Take
//	answering  idle       the goroutine that has sent the answer
//	idle       closed     also the goroutines that end idle connections, or drain
//	waiting    closed     also a goroutine that sees the client hang up
//	any        closed     any goroutine, in Close
//
// Only the loop, or Wait, begins a new serving, and only one goroutine serves or answers at a
// time. That goroutine alone writes to the socket, and has the unguarded fields of the
// connection.
const (
	outside   uint64 = iota // net/http serves the connection, or a handler has taken it over
	idle                    // between two requests
	serving                 // ServeHTTP runs
	waiting                 // ServeHTTP has returned, and the answer is still to come
	answering               // an answer is being sent
	closed                  // for good

	stateMask   = 7
	inputFlag   = 8  // a flag: there is unread input, to be read when the connection becomes idle
	servingUnit = 16 // one serving in the number of servings, by which an Exchange knows its own
)

// state has one of the states in bits 0 to 2, inputFlag in bit 3, and above them the number of
// servings.
type state struct{ word atomic.Uint64 }

func (s *state) is(what uint64) bool { return s.word.Load()&stateMask == what }

// move moves the state from one to another. If the state is not from, nothing moves. was is
// the word before.
func (s *state) move(from, to uint64) (was uint64, moved bool) {
	for {
		was = s.word.Load()
		if was&stateMask != from {
			return was, false
		}
		if s.word.CompareAndSwap(was, after(was, to)) {
			return was, true
		}
	}
}

// moveServing is move for one serving: it returns false if another serving has begun.
func (s *state) moveServing(number, from, to uint64) bool {
	for {
		was := s.word.Load()
		if was&stateMask != from || was/servingUnit != number {
			return false
		}
		if s.word.CompareAndSwap(was, after(was, to)) {
			return true
		}
	}
}

// after returns the word that follows was when the state becomes to.
func after(was, to uint64) uint64 {
	next := was&^stateMask | to
	switch to {
	case serving:
		return next + servingUnit
	case idle, outside:
		return next &^ inputFlag
	}
	return next
}

// note sets noted, unless the state is one of the given. It returns the word before.
func (s *state) note(unless ...uint64) uint64 {
	for {
		was := s.word.Load()
		if slices.Contains(unless, was&stateMask) {
			return was
		}
		if was&inputFlag != 0 || s.word.CompareAndSwap(was, was|inputFlag) {
			return was
		}
	}
}

// close sets the state to closed, and returns the word before.
func (s *state) close() uint64 { return s.word.Swap(closed) }
