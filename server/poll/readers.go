package poll

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/address"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/shares"
)

const (
	readersFor   = time.Minute // that nobody took
	readersAlike = 1024        // free ones that nothing tells apart: all are looked at
	readersBytes = 16 << 20    // of all free ones
	alikeBytes   = 512
	readerBytes  = 128
)

// readers remembers which message each reader was given last, because a client of a plain
// /sub sends no cursor, and must neither lose nor be told twice what is said between two
// of its polls.
//
// Such a client cannot be recognized for sure: a browser asks on whichever of its
// connections is free, and its tabs send the same. But a client waits once at a time. So
// among polls that may be one client's there are as many readers as have waited at the
// same time, and a poll takes one that waits for nobody. One client at a time is always
// given its own. Several are, as long as each keeps its connection.
//
// Only free readers take room here; a waiting one is its poll's.
type readers struct {
	source address.Source

	mu        sync.Mutex // guards all below, and what is in them
	byID      map[identity]*shares.Holding[netip.Addr, *alike]
	byAddress shares.Holdings[netip.Addr, *alike] // weight: bytes; the one longest unused first
}

func newReaders(source address.Source) *readers {
	return &readers{source: source, byID: make(map[identity]*shares.Holding[netip.Addr, *alike])}
}

// take gives a poll its readers, one for each place, and sets where these begin. Call leave
// when the poll ends.
func (s *readers) take(r *http.Request, q *Query) {
	client, connection := identityOf(r, s.source), connectionOf(r, s.source)
	q.readers = make([]*reader, len(q.places))
	for i := range q.readers {
		place := &q.places[i]
		q.readers[i] = s.takeOne(client.in(place.Channel, q.plain), s.source.Of(r), connection)
		place.Since = q.readers[i].since()
	}
}

func (s *readers) takeOne(id identity, address netip.Addr, connection uint64) *reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r *reader
	if known := s.byID[id]; known != nil {
		known.Value.forget(time.Now().Add(-readersFor))
		r = known.Value.take(connection)
	}
	if r == nil { // all wait
		r = &reader{alike: &alike{id: id, address: address}}
	}
	r.connection, r.free, r.answered = connection, false, false
	return r
}

// had frees the readers of a poll whose answer has everything up to these cursors. Call it
// before that is written: who has it may ask again at once.
func (s *readers) had(q *Query, cursors []history.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.had = true
	for i, r := range q.readers {
		r.cursor, r.answered = cursors[i], true
		s.free(r)
	}
}

// hadNot takes back had where the answer could not be written, unless the reader has been
// given something else since.
func (s *readers) hadNot(q *Query, page *hub.Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range q.readers {
		if r.free && r.cursor == page.Cursors[i] {
			r.cursor, r.answered = page.Starts[i], false
		}
	}
}

// leave frees the readers of a poll that ended without an answer. After had they may be
// another poll's.
func (s *readers) leave(q *Query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.had {
		return
	}
	for _, r := range q.readers {
		s.free(r)
	}
}

// free lets the next poll take a reader. One that was given nothing is forgotten:
// otherwise invented clients would take room with a poll each. mu is held.
func (s *readers) free(r *reader) {
	if r.free, r.freeSince = true, time.Now(); r.cursor.Epoch == "" {
		return
	}
	if known := s.byID[r.alike.id]; known != nil {
		r.alike = known.Value // its own may have been forgotten while it waited
	}
	r.alike.add(r)
	s.keep(r.alike)
}

// keep weighs readers anew. When there is no room, the address that has most loses those
// that were longest unused. mu is held.
func (s *readers) keep(a *alike) {
	s.byAddress.Remove(s.byID[a.id])
	s.byID[a.id] = s.byAddress.Add(a.address, a, alikeBytes+readerBytes*len(a.free))
	for s.byAddress.Weights.Total() > readersBytes {
		largest, _ := s.byAddress.Weights.Largest()
		for oldest := range s.byAddress.Of(largest) {
			s.remove(oldest)
			break
		}
	}
}

// remove forgets readers. mu is held.
func (s *readers) remove(held *shares.Holding[netip.Addr, *alike]) {
	s.byAddress.Remove(held)
	delete(s.byID, held.Value.id)
	held.Value.free = nil // a waiting one may come back to it
}

// forget forgets those of which nobody took one for a minute.
func (s *readers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, held := range s.byID {
		if held.Value.forget(time.Now().Add(-readersFor)); len(held.Value.free) == 0 {
			s.remove(held)
		}
	}
}
