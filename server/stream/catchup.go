package stream

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"pubsub/server/access"
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

// read reads the first page of a stream.
func (s *Streams) read(r *http.Request, places []hub.Place) (*hub.Page, error) {
	page, err := s.hub.Peek(r.Context(), places, maxPage)
	if err != nil {
		return nil, err
	}
	if page.Gap != nil && page.Gap.Reason == history.Restarted {
		s.access.SlowRestart(r, s.responder.Log)
	}
	s.cut(page, s.access.Source.Of(r))
	return page, nil
}

// pieceBytes is how much of a page is written with one deadline: who reads slowly but
// steadily is not cut off.
const pieceBytes = 16 << 10

// lookAgain is how long a stream waits that has nothing to read, and cannot join.
const lookAgain = 50 * time.Millisecond

// catchUp writes b, and then what comes after some places, until the stream has all that
// there is and joins its crowd, or ends.
func (m *member) catchUp(b []byte, at []history.Cursor) {
	defer m.contain()
	for m.write(b) && m.write(m.unsent()) {
		if why := m.why.Load(); why != nil {
			m.sayLast(why, at)
			return
		}
		if m.join(at) {
			return
		}
		page, err := m.streams.hub.Peek(context.Background(), m.crowd.places(at), maxPage)
		switch {
		case err != nil:
			m.sayLast(outOfReach, at)
			return
		case page.HasNews():
			m.streams.cut(page, m.address)
			m.streams.metrics.DeliverTo(page, 1)
			b, at = m.crowd.encode(page), page.Cursors
		default: // the log is away, or somebody has just changed what join looks at
			b, at = nil, page.Cursors
			<-time.After(lookAgain)
		}
	}
	m.close() // the client does not read, or is gone
}

// contain ends the stream if it panics, which must not end the process.
func (m *member) contain() {
	if cause := recover(); cause != nil {
		m.streams.responder.PanickedAside(cause, "channels", m.crowd.channels)
		m.close()
	}
}

// cut cuts a page to what may be held for an address until it is read.
func (s *Streams) cut(page *hub.Page, address netip.Addr) {
	page.Cut(maxBytes)
	if !s.hasRoom(address, page.Size()) {
		page.Cut(access.SmallAnswer)
	}
}

// hasRoom tells whether so many bytes could be held for an address now.
func (s *Streams) hasRoom(address netip.Addr, bytes int) bool {
	giveBack, ok := s.access.HoldFor(address, bytes)
	giveBack()
	return ok
}

// hold counts what is written to an address until giveBack is called, unless it is a small
// page with what is around it. If ok is false there is no room. giveBack is never nil.
func (s *Streams) hold(address netip.Addr, b []byte) (giveBack func(), ok bool) {
	if len(b) <= 2*access.SmallAnswer {
		return func() {}, true
	}
	return s.access.HoldFor(address, len(b))
}

// write writes in pieces. It returns false if the client does not read, if there is no
// room for what its address has not read, or if the stream is over.
func (m *member) write(b []byte) bool {
	giveBack, ok := m.streams.hold(m.address, b)
	defer giveBack()
	if !ok {
		return false
	}
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
	s := m.crowd.shardFor()
	if s == nil {
		m.sayLast(drained, at)
		return true
	}
	return s.join(m, at)
}

func (m *member) sayLast(why *farewell, at []history.Cursor) {
	if m.write(m.crowd.way.last(why, at)) {
		m.told()
	} else {
		m.close()
	}
}
