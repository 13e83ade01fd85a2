package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"pubsub/server/access"
	"pubsub/server/crowd"
	"pubsub/server/history"
	"pubsub/server/hub"
)

// headOf is the head of an answer on a connection that was taken over.
func headOf(h http.Header, status int) []byte {
	if status != http.StatusSwitchingProtocols {
		h["Connection"] = []string{"close"} // that is where the answer ends
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	b := new(writer)
	fmt.Fprintf(b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = h.Write(b) // a writer does not fail
	return append(*b, "\r\n"...)
}

// writer collects what is written.
type writer []byte

func (w *writer) Write(b []byte) (int, error) { *w = append(*w, b...); return len(b), nil }

// read reads the first page of a stream, for which it takes room before.
func (s *Streams) read(r *http.Request, places []hub.Place, room *access.Room) (*hub.Page, error) {
	bytes := room.Take(maxBytes)
	page, err := s.hub.Peek(r.Context(), places, maxPage, bytes)
	if err != nil {
		return nil, err
	}
	page.Cut(bytes)
	if page.Gap != nil && page.Gap.Reason == history.Restarted { // what it drops comes with the next page
		s.access.SlowRestart(r, s.responder.Log, func() { page.Empty(); room.Leave() })
	}
	if !room.Keep(page.Size()) { // it is read again when there is room
		page.Empty()
		room.Leave()
	}
	return page, nil
}

// pieceBytes is how much of a page is written with one deadline: who reads slowly but
// steadily is not cut off.
const pieceBytes = 16 << 10

// lookAgain is how long a stream waits that has nothing to read, and cannot join, or that
// has no room for what it reads.
const lookAgain = 50 * time.Millisecond

// start writes the head of a stream and its first page, and what comes after that.
func (m *member) start(head []byte, page *hub.Page) {
	defer m.contain()
	head = append(head, m.way.first(page)...)
	at := slices.Clone(page.Cursors)
	m.goOn(m.writePage(head, page, m.room.Leave), at)
}

// catchUp writes a page of the crowd from its nth byte on, and what comes after some
// places.
func (m *member) catchUp(page []byte, n int, at []history.Cursor) {
	defer m.contain()
	m.goOn(m.writeRest(page, n), at)
}

// goOn writes what comes after some places, until the stream has all that there is and
// joins its crowd, or ends. wrote is false if its client did not read what came before.
func (m *member) goOn(wrote bool, at []history.Cursor) {
	beaten := time.Now()
	for wrote && m.write(m.unsent()) {
		if why := cmp.Or(m.why.Load(), m.due(time.Now())); why != nil {
			m.sayLast(why, at)
			return
		}
		if time.Since(beaten) >= m.streams.tick { // a ping in the midst of pages, or while the log is away
			beaten = time.Now()
			if !m.writeHeartbeat(at) {
				break
			}
		}
		if m.join(at) {
			return
		}
		page, giveBack, err := m.next(at)
		switch {
		case errors.Is(err, access.ErrUnread):
			wrote = m.why.Load() != nil // the client may still be told that
			continue
		case err != nil:
			m.sayLast(outOfReach, at)
			return
		}
		at = slices.Clone(page.Cursors) // its own would keep its messages
		news := page.HasNews()
		wrote = m.writePage(nil, page, giveBack)
		if !news { // the log is away, or the crowd has another place for the same
			m.crowd.Look()
			<-time.After(lookAgain)
		}
	}
	m.close() // the client does not read, or is gone
}

// roomWithin is how long a stream waits for room: longer than others of its address may
// take to read what they have.
const roomWithin = 30 * time.Second

// next reads the page after some places, and counts it until giveBack is called. A large
// message may have to wait for room: it is read again then, so that who waits holds
// nothing. The error is ErrUnread if there is no room in time.
func (m *member) next(at []history.Cursor) (page *hub.Page, giveBack func(), err error) {
	room := m.streams.roomFor(m.address)
	defer func() {
		if page == nil { // also if reading it panics
			room.Leave()
		}
	}()
	for bytes := room.Take(maxBytes); ; {
		page, err = m.streams.hub.Peek(context.Background(), m.places(at), maxPage, bytes)
		if err != nil {
			return nil, nil, err
		}
		page.Cut(bytes)
		size := page.Size()
		if room.Keep(size) {
			return page, room.Leave, nil
		}
		page = nil
		if bytes = size; !m.awaitRoom(room, size) {
			return nil, nil, access.ErrUnread
		}
	}
}

// awaitRoom waits until there is room. ok is false if there is none in time, or if the
// stream is to end.
func (m *member) awaitRoom(room *access.Room, bytes int) (ok bool) {
	room.Leave()
	until := time.Now().Add(roomWithin)
	for ; !m.over.Load() && m.why.Load() == nil && time.Now().Before(until); <-time.After(lookAgain) {
		if room.Keep(bytes) {
			return true
		}
	}
	return false
}

// contain ends the stream if it panics, which must not end the process.
func (m *member) contain() {
	if cause := recover(); cause != nil {
		m.streams.responder.PanickedAside(cause, "channels", m.crowd.Channels())
		m.close()
	}
}

// roomFor is where the pages of a stream count. A small one counts nothing with what is
// around it.
func (s *Streams) roomFor(address netip.Addr) *access.Room {
	return s.access.RoomFor(address, 2*access.SmallAnswer)
}

// hold counts what is written to an address until giveBack is called, unless it is a small
// page with what is around it. If ok is false there is no room. giveBack is never nil.
func (s *Streams) hold(address netip.Addr, bytes int) (giveBack func(), ok bool) {
	if bytes <= 2*access.SmallAnswer {
		return func() {}, true
	}
	return s.access.HoldFor(address, bytes)
}

// write writes what is no page. It returns false if the client does not read, if there is
// no room for what its address has not read, or if the stream is over.
func (m *member) write(b []byte) bool {
	giveBack, ok := m.streams.hold(m.address, len(b))
	defer giveBack()
	return ok && m.writePieces(b)
}

// writeHeartbeat is write of what a silent stream is sent, if it is to be.
func (m *member) writeHeartbeat(at []history.Cursor) bool {
	return m.streams.silent && m.talk == nil || m.write(m.way.heartbeat(at))
}

// writePage writes a page that is counted, and something before it. It returns false as
// write does.
func (m *member) writePage(before []byte, page *hub.Page, giveBack func()) bool {
	defer giveBack()
	m.streams.metrics.Deliver(page)
	if page.HasNews() {
		before = append(before, m.way.page(page)...)
	}
	return m.writePieces(before)
}

// writeRest writes a page of the crowd from its nth byte on. It returns false as write
// does.
func (m *member) writeRest(page []byte, n int) bool {
	giveBack, ok := m.streams.access.HoldPage(m.address, page)
	defer giveBack()
	return ok && m.writePieces(page[n:])
}

// writePieces writes what is counted. It returns false as write does.
func (m *member) writePieces(b []byte) bool {
	for !m.over.Load() {
		n := min(len(b), pieceBytes)
		if _, err := m.link.Write(b[:n]); err != nil { // also if b is empty: something may wait
			return false
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
	}
	return false
}

// unsent takes what waits to be sent beside the pages.
func (m *member) unsent() []byte {
	if m.talk == nil {
		return nil
	}
	m.talk.unsentMu.Lock()
	defer m.talk.unsentMu.Unlock()
	b := m.talk.unsent
	m.talk.unsent = nil
	return b
}

// join joins the crowd at some places, and returns true. If the crowd has gone further, it
// returns false: there is more to read. If the crowd has ended, so does the stream.
func (m *member) join(at []history.Cursor) bool {
	if m.talk != nil {
		m.talk.unsentMu.Lock() // so that nothing is added until it has joined
		defer m.talk.unsentMu.Unlock()
		if len(m.talk.unsent) > 0 {
			return false
		}
	}
	switch m.crowd.Join(m, at) {
	case crowd.Behind:
		return false
	case crowd.Ended:
		m.sayLast(drained, at)
		return true
	}
	if m.over.Load() { // it ended meanwhile, and was not there to be dropped
		m.Drop()
	} else if why := m.why.Load(); why != nil { // or is to be told so
		m.dismiss(why)
	}
	return true
}

func (m *member) sayLast(why *farewell, at []history.Cursor) {
	if m.write(m.way.last(why, at)) {
		m.told()
	} else {
		m.close()
	}
}
