package poll

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/address"
	"pubsub/server/fairshare"
	"pubsub/server/history"
	"pubsub/server/hub"
)

const (
	readersFor   = time.Minute // after which a free reader is forgotten
	readersAlike = 1024        // free readers of one identity, all of which are searched
	readersBytes = 16 << 20    // of all free readers
	alikeBytes   = 512
	readerBytes  = 128
)

// readers remembers which message each reader was given last. A client of a plain /sub sends
// no cursor, but should get what is said between two of its polls, and once only.
//
// Such a client cannot be recognized for certain: a browser asks on any free connection, and
// its tabs send the same headers. But a client has one poll at a time. So each identity has
// as many readers as it had polls at the same time, and a poll takes one that is free. A
// single client always gets its own reader. Several clients do so as long as each keeps its
// connection.
//
// Only free readers take memory here: another belongs to its poll.
type readers struct {
	source address.Source

	mu        sync.Mutex // guards the fields below and all readers; no other lock is taken under it
	byID      map[identity]*fairshare.Holding[netip.Addr, *alike]
	byAddress fairshare.Holdings[netip.Addr, *alike] // weight: bytes; the longest unused first
}

func newReaders(source address.Source) *readers {
	return &readers{source: source, byID: make(map[identity]*fairshare.Holding[netip.Addr, *alike])}
}

// take gives a poll its readers, one for each place, and sets where the places begin. Call
// leave when the poll ends.
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
	if r == nil { // no reader is free
		r = &reader{alike: &alike{id: id, address: address}}
	}
	r.connection, r.free, r.answered = connection, false, false
	return r
}

// had frees the readers of a poll whose answer has everything up to the cursors. Call it
// before the answer is written, because the client may ask again as soon as it has the
// answer.
func (s *readers) had(q *Query, cursors []history.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.had = true
	for i, r := range q.readers {
		r.cursor, r.answered = cursors[i], true
		s.free(r)
	}
}

// hadNot undoes had if the answer could not be written, unless the reader was given something
// else since.
func (s *readers) hadNot(q *Query, page *hub.Page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range q.readers {
		if r.free && r.cursor == page.Cursors[i] {
			r.cursor, r.answered = page.Starts[i], false
		}
	}
}

// leave frees the readers of a poll that ended without an answer. After had it does nothing,
// because they may belong to another poll.
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

// free lets the next poll take a reader. A reader that was given nothing is dropped, or
// invented clients would take memory with one poll each. mu is held.
func (s *readers) free(r *reader) {
	if r.free, r.freeSince = true, time.Now(); r.cursor.Epoch == "" {
		return
	}
	if known := s.byID[r.alike.id]; known != nil {
		r.alike = known.Value // r.alike may have been dropped meanwhile
	}
	r.alike.add(r)
	s.keep(r.alike)
}

// keep updates the weight of readers. If there is too little memory, the address that has
// most loses those that were unused for longest. mu is held.
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

// remove drops readers. mu is held.
func (s *readers) remove(held *fairshare.Holding[netip.Addr, *alike]) {
	s.byAddress.Remove(held)
	delete(s.byID, held.Value.id)
	held.Value.free = nil // a reader that is not free may still refer to it
}

// forget drops the readers that were free for a minute.
func (s *readers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, held := range s.byID {
		if held.Value.forget(time.Now().Add(-readersFor)); len(held.Value.free) == 0 {
			s.remove(held)
		}
	}
}
