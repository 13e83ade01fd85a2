package crowd

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pubsub/server/history"
)

// shardSize is how many readers a shard may have. The lock of a shard is held while all of
// its readers are given news, which takes a millisecond or two.
const shardSize = 256

// shard is a part of a crowd with its own lock. So a reader that joins or leaves waits for
// some of the readers, not for all.
type shard struct {
	crowd *Crowd
	size  atomic.Int32 // of readers and ahead together; changed with mu held

	// mu guards the fields below and the seats of the readers. No lock of this package is
	// taken under it, but Give, Tick and the function of Do may take others.
	mu      sync.Mutex
	at      []history.Cursor // up to where all readers in the list readers have everything; nil before the first page
	readers []Reader
	ahead   []ahead
	busy    bool // the shard got news since the last tick
}

// ahead is a reader that has read further than the crowd. It is given the rest of pages until
// the crowd has caught up. Otherwise it would never meet the crowd in a flood.
type ahead struct {
	Reader
	at []history.Cursor
}

func (s *shard) isEmpty() bool { return s.size.Load() == 0 }

// join takes in a reader. It returns false if the reader has less than the shard, or if it
// has not read the log and is at another place.
func (s *shard) join(r Reader, at []history.Cursor, read bool) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case same(at, s.at):
		s.add(r)
	case read && (s.at == nil || reached(at, s.at) && !reached(s.at, at)):
		s.addAhead(r, slices.Clone(at))
	default:
		return false
	}
	s.size.Add(1)
	return true
}

// reached tells whether places are at least as far as others, in the same logs.
func reached(at, others []history.Cursor) bool {
	for i := range at {
		if at[i].Epoch != others[i].Epoch || at[i].ID < others[i].ID {
			return false
		}
	}
	return true
}

// same tells whether places are the same. A differing check means another message. An unknown
// place, which is nil, is never the same.
func same(at, others []history.Cursor) bool {
	if len(at) != len(others) {
		return false
	}
	for i := range at {
		if at[i].Epoch != others[i].Epoch || at[i].ID != others[i].ID || at[i].Check.Differs(others[i].Check) {
			return false
		}
	}
	return true
}

// add adds a reader that is at the shard's place. mu is held.
func (s *shard) add(r Reader) {
	r.seat().take(s, len(s.readers), false)
	s.readers = append(s.readers, r)
}

// addAhead adds a reader that is ahead. mu is held.
func (s *shard) addAhead(r Reader, at []history.Cursor) {
	r.seat().take(s, len(s.ahead), true)
	s.ahead = append(s.ahead, ahead{r, at})
}

// unlist removes a reader from its list. mu is held.
func (s *shard) unlist(seat *Seat) {
	if seat.ahead {
		s.ahead = without(s.ahead, seat.index)
	} else {
		s.readers = without(s.readers, seat.index)
	}
}

// without removes a reader from a list. The last one takes its place.
func without[R Reader](list []R, i int32) []R {
	last := len(list) - 1
	list[i] = list[last]
	list[i].seat().index = i
	clear(list[last:])
	if last == 0 {
		return nil // frees the memory, as no reader may come for long
	}
	return list[:last]
}

// remove takes a reader out. mu is held.
func (s *shard) remove(seat *Seat) {
	s.unlist(seat)
	seat.shard.Store(nil)
	s.size.Add(-1)
}

// placeOf returns up to where a reader has everything. mu is held.
func (s *shard) placeOf(seat *Seat) []history.Cursor {
	if seat.ahead {
		return s.ahead[seat.index].at
	}
	return s.at
}

// deliver moves the shard to the end of a page, and gives the page to its readers.
func (s *shard) deliver(news *News) {
	given, once, after := s.move(news)
	c := s.crowd
	if given > 0 {
		c.call(func() { c.kind().Count(news.Page, given) })
	}
	for _, r := range once {
		c.giveOut(r, news)
	}
	for _, leave := range after {
		c.call(leave)
	}
}

// move is the part of deliver that needs the lock. It returns what to do without it: call
// Give for the readers once, and the functions after.
func (s *shard) move(news *News) (given int, once []Reader, after []func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = news.To
	if news.Page.HasNews() {
		given, s.busy = len(s.readers), true
		if s.crowd.kind().Once {
			once = s.takeAll()
		}
		for i := len(s.readers) - 1; i >= 0; i-- { // backwards, because a reader that leaves is replaced by the last one
			r := s.readers[i]
			after = s.leaving(after, r, s.crowd.give(r, news))
		}
	}
	for i := len(s.ahead) - 1; i >= 0; i-- {
		e := s.ahead[i]
		after = s.leaving(after, e.Reader, s.crowd.ask(e.Reader, e.at, func() func() { return s.giveRest(e, news) }))
	}
	return given, once, after
}

// takeAll takes out all readers that are not ahead. mu is held.
func (s *shard) takeAll() []Reader {
	all := s.readers
	s.readers = nil
	s.size.Add(int32(-len(all)))
	for _, r := range all {
		r.seat().shard.Store(nil)
	}
	return all
}

// leaving takes a reader out if leave is not nil, and appends leave. mu is held.
func (s *shard) leaving(after []func(), r Reader, leave func()) []func() {
	if leave == nil {
		return after
	}
	s.remove(r.seat())
	return append(after, leave)
}

// giveRest gives a reader that is ahead the part of a page that it does not have. mu is held.
func (s *shard) giveRest(e ahead, news *News) (leave func()) {
	if same(e.at, news.To) {
		s.catchUp(e, news.To)
		return nil
	}
	page, ok := news.Page.Rest(e.at)
	if !ok {
		return func() { e.Lag(e.at) }
	}
	if !page.HasNews() {
		s.catchUp(e, page.Cursors)
		return nil
	}
	c := s.crowd
	c.kind().Count(page, 1)
	rest := &News{Page: page, Text: c.kind().Encode(page), From: e.at, To: page.Cursors}
	if c.kind().Once {
		return func() { c.giveOut(e.Reader, rest) }
	}
	s.catchUp(e, page.Cursors)
	return e.Give(rest)
}

// catchUp sets the place of a reader that was ahead, and may still be. mu is held.
func (s *shard) catchUp(e ahead, at []history.Cursor) {
	if !reached(s.at, at) {
		s.ahead[e.seat().index].at = at
		return
	}
	s.unlist(e.seat())
	s.add(e.Reader)
}

func (s *shard) tick(now time.Time) {
	for _, leave := range s.tickAll(now) {
		s.crowd.call(leave)
	}
}

func (s *shard) tickAll(now time.Time) (after []func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	quiet := !s.busy
	s.busy = false
	for _, e := range s.all() {
		leave := s.crowd.ask(e.Reader, e.at, func() func() { return e.Reader.(Ticker).Tick(now, e.at, quiet) })
		after = s.leaving(after, e.Reader, leave)
	}
	return after
}

// all returns all readers, each with its place. mu is held.
func (s *shard) all() []ahead {
	all := slices.Clone(s.ahead)
	for _, r := range s.readers {
		all = append(all, ahead{r, s.at})
	}
	return all
}

// end takes all readers out, and calls End.
func (s *shard) end() {
	s.mu.Lock()
	all := s.all()
	for _, e := range all {
		s.remove(e.seat())
	}
	s.mu.Unlock()
	for _, e := range all {
		s.crowd.call(func() { e.End(e.at) })
	}
}
