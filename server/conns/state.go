package conns

import (
	"slices"
	"sync/atomic"
)

// The states of a connection, as the loop sees it.
//
//	from       to         who
//	outside    serving    a handler, in Wait: it takes the connection over from net/http
//	idle       serving    the loop: there is input
//	serving    idle       the loop: there was no input; or whoever has sent the answer
//	serving    outside    the loop: net/http is to serve what has come
//	serving    answering  whoever served, when the handler has returned
//	serving    waiting    the handler, in Wait
//	waiting    answering  whoever answers, in Take: one of all who try
//	answering  idle       whoever has sent the answer
//	idle       closed     also who closes what is idle for too long, or at the drain
//	waiting    closed     also who has seen the client hang up
//	any        closed     anyone, in Close
//
// Only the loop, or Wait, begins a new serving, and only one goroutine serves or answers: it
// alone writes to the socket, and has the fields of the connection that are not guarded.
const (
	outside   uint64 = iota // net/http serves it, or somebody has it for good
	idle                    // between two requests
	serving                 // ServeHTTP runs
	waiting                 // ServeHTTP has returned, and somebody is to answer
	answering               // an answer is being sent
	closed                  // for good

	states  = 7
	noted   = 8  // input has come that was not read; looked at when it becomes idle
	serveds = 16 // what counts servings: so an Exchange knows its own
)

// state is one of them, with input noted or not, and the number of the serving.
type state struct{ word atomic.Uint64 }

func (s *state) is(what uint64) bool { return s.word.Load()&states == what }

// move moves it between states, unless it is in another. It returns what it was.
func (s *state) move(from, to uint64) (was uint64, moved bool) {
	for {
		was = s.word.Load()
		if was&states != from {
			return was, false
		}
		if s.word.CompareAndSwap(was, after(was, to)) {
			return was, true
		}
	}
}

// moveServing is move for one serving: it fails when another has begun.
func (s *state) moveServing(number, from, to uint64) bool {
	for {
		was := s.word.Load()
		if was&states != from || was/serveds != number {
			return false
		}
		if s.word.CompareAndSwap(was, after(was, to)) {
			return true
		}
	}
}

// after is what a word becomes.
func after(was, to uint64) uint64 {
	next := was&^states | to
	switch to {
	case serving:
		return next + serveds
	case idle, outside:
		return next &^ noted
	}
	return next
}

// note notes input in any state but some, and returns what it was.
func (s *state) note(unless ...uint64) uint64 {
	for {
		was := s.word.Load()
		if slices.Contains(unless, was&states) {
			return was
		}
		if was&noted != 0 || s.word.CompareAndSwap(was, was|noted) {
			return was
		}
	}
}

// close moves it to closed, and returns what it was.
func (s *state) close() uint64 { return s.word.Swap(closed) }
