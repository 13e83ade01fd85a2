package stream

import (
	"slices"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// shardSize is how many streams a shard has about. Its lock is held while all of them are
// written to, which takes a millisecond or two.
const shardSize = 256

// shard is a part of a crowd. It has a lock of its own, so that a client that comes or
// goes waits for the writes to some of the others, and not to all.
type shard struct {
	crowd *crowd

	mu      sync.Mutex       // guards all below
	at      []history.Cursor // everybody in members has all up to here; nil before the first page
	members []*member
	ahead   []*ahead
	closed  bool // nobody can join any more
	busy    bool // something was written since the last tick
}

// ahead is a stream that has read further than the crowd: it is given the rest of the
// pages until the crowd has come up.
type ahead struct {
	*member
	at []history.Cursor
}

func newShard(c *crowd, at []history.Cursor) *shard {
	return &shard{crowd: c, at: at}
}

func (s *shard) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && len(s.members)+len(s.ahead) < shardSize
}

// closeEmpty closes a shard without streams, and returns false if it has some.
func (s *shard) closeEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = s.closed || len(s.members)+len(s.ahead) == 0
	return s.closed
}

// join takes in a stream that has everything up to some places. If ok is false it has less
// than the crowd, or the shard is closed: then its caller goes on reading.
func (s *shard) join(m *member, at []history.Cursor) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || s.at != nil && !reached(at, s.at):
		return false
	case s.at != nil && reached(s.at, at):
		s.add(m)
	default:
		s.ahead = append(s.ahead, &ahead{m, at})
		m.shard.Store(s)
	}
	if m.over.Load() { // it ended while it joined, and found itself nowhere
		s.remove(m)
	} else if why := m.why.Load(); why != nil { // or is to be told so
		s.dismiss(m, why)
	}
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

// add adds a stream that is where the others are. mu is held.
func (s *shard) add(m *member) {
	m.index = len(s.members)
	s.members = append(s.members, m)
	m.shard.Store(s)
}

// remove takes a stream out. mu is held.
func (s *shard) remove(m *member) {
	m.shard.Store(nil)
	if i := slices.IndexFunc(s.ahead, func(e *ahead) bool { return e.member == m }); i >= 0 {
		s.ahead = slices.Delete(s.ahead, i, i+1)
		return
	}
	last := len(s.members) - 1
	s.members[m.index] = s.members[last]
	s.members[m.index].index = m.index
	s.members[last] = nil
	s.members = s.members[:last]
}

// deliver writes a page, which is b, and returns how many streams were given it. b is nil
// if the page has no news.
func (s *shard) deliver(page *hub.Page, b []byte) (given int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.at
	s.at = page.Cursors
	if b != nil {
		given, s.busy = len(s.members), true
		for i := len(s.members) - 1; i >= 0; i-- { // backwards, as remove moves the last one
			s.write(s.members[i], b, before, page.Cursors)
		}
	}
	waiting := s.ahead
	s.ahead = nil
	for _, e := range waiting {
		s.deliverRest(e, page)
	}
	return given + len(waiting)
}

// deliverRest gives a stream what it does not have of a page. mu is held.
func (s *shard) deliverRest(e *ahead, page *hub.Page) {
	rest, ok := page.Rest(e.at)
	if !ok {
		e.shard.Store(nil)
		go e.catchUp(nil, 0, e.at)
		return
	}
	before := e.at
	e.at = rest.Cursors
	if reached(page.Cursors, e.at) {
		s.add(e.member)
	} else {
		s.ahead = append(s.ahead, e)
	}
	if rest.HasNews() {
		s.write(e.member, s.crowd.way.page(rest), before, e.at)
	}
}

// write writes to a stream that is at one place, and is at another when it has all of b.
// If there is no room for all, the stream leaves the shard. Without a place from which it
// can be read again, b is written by all means. mu is held.
func (s *shard) write(m *member, b []byte, from, to []history.Cursor) {
	n, waits, err := m.link.TryWrite(b)
	if err == nil && !waits {
		return
	}
	s.remove(m)
	switch {
	case err != nil:
		m.close()
	case n == 0 && from != nil:
		go m.catchUp(nil, 0, from)
	default:
		go m.catchUp(b, n, to)
	}
}

// send writes something beside the pages to a stream. It returns false if the stream is
// not here.
func (s *shard) send(m *member, b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.shard.Load() != s {
		return false
	}
	s.write(m, b, nil, s.placeOf(m))
	return true
}

// placeOf is the place up to which a stream has everything. mu is held.
func (s *shard) placeOf(m *member) []history.Cursor {
	for _, e := range s.ahead {
		if e.member == m {
			return e.at
		}
	}
	return s.at
}

// tick ends streams that are over their time, and writes to the others if nothing else
// was written since the last tick.
func (s *shard) tick(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	quiet := !s.busy
	s.busy = false
	beat := s.crowd.way.heartbeat(s.at)
	for _, m := range slices.Clone(s.members) { // a copy: what ends is taken out
		s.tickOne(m, now, quiet, beat)
	}
	for _, e := range slices.Clone(s.ahead) {
		s.tickOne(e.member, now, quiet, s.crowd.way.heartbeat(e.at))
	}
}

// tickOne is tick for one of them. mu is held.
func (s *shard) tickOne(m *member, now time.Time, quiet bool, beat []byte) {
	switch why := m.due(now); {
	case why != nil:
		s.dismiss(m, why)
	case quiet && !s.crowd.streams.silent || m.talk != nil:
		s.beat(m, beat)
	}
}

// beat writes a heartbeat to a stream. If the connection takes none of it, it has enough
// to read. mu is held.
func (s *shard) beat(m *member, b []byte) {
	if n, _, err := m.link.TryWrite(b); err != nil || 0 < n && n < len(b) {
		s.remove(m)
		m.close()
	}
}

// all returns the streams. mu is held.
func (s *shard) all() []*member {
	all := slices.Clone(s.members)
	for _, e := range s.ahead {
		all = append(all, e.member)
	}
	return all
}

// dismiss ends a stream, and tells it why. mu is held.
func (s *shard) dismiss(m *member, why *farewell) {
	last := s.crowd.way.last(why, s.placeOf(m))
	s.remove(m)
	if n, _, err := m.link.TryWrite(last); err != nil || n < len(last) {
		m.close()
		return
	}
	m.told()
}

// dismissOne is dismiss for one of them. It returns false if the stream is not here.
func (s *shard) dismissOne(m *member, why *farewell) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.shard.Load() != s {
		return false
	}
	s.dismiss(m, why)
	return true
}

// drop takes a stream out if it is here.
func (s *shard) drop(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.shard.Load() == s {
		s.remove(m)
	}
}

// finish ends all streams as a drain does.
func (s *shard) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, m := range s.all() {
		s.dismiss(m, drained)
	}
}
