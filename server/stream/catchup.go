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

// headOf returns the head of an answer on a connection that was taken over.
func headOf(h http.Header, status int) []byte {
	if status != http.StatusSwitchingProtocols {
		h["Connection"] = []string{"close"} // the answer ends with the connection
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	b := new(writer)
	fmt.Fprintf(b, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = h.Write(b) // a writer never fails
	return append(*b, "\r\n"...)
}

// writer collects what is written to it.
type writer []byte

func (w *writer) Write(b []byte) (int, error) { *w = append(*w, b...); return len(b), nil }

// read reads the first page of a stream, and counts it in the budget.
func (s *Streams) read(r *http.Request, places []hub.Place, budget *access.Budget) (*hub.Page, error) {
	bytes := budget.Take(maxBytes)
	page, err := s.hub.Peek(r.Context(), places, maxPage, bytes)
	if err != nil {
		return nil, err
	}
	page.Cut(bytes)
	if page.Gap != nil && page.Gap.Reason == history.Restarted { // the next page has what Empty drops
		s.access.SlowRestart(r, s.responder.Log, func() { page.Empty(); budget.Leave() })
	}
	if !budget.Keep(page.Size()) { // it is read again when there is room
		page.Empty()
		budget.Leave()
	}
	return page, nil
}

// pieceBytes is how much is written with one deadline, so that a client that reads slowly but
// steadily is not cut off.
const pieceBytes = 16 << 10

// lookAgain is how long a stream waits when there is no room for a page, or when it has
// nothing to read and cannot join its crowd.
const lookAgain = 50 * time.Millisecond

// start writes the head and the first page of a stream, and then goes on as goOn does.
func (m *member) start(head []byte, page *hub.Page) {
	defer m.contain()
	head = append(head, m.way.first(page)...)
	at := slices.Clone(page.Cursors)
	m.goOn(m.writePage(head, page, m.budget.Leave), at)
}

// catchUp writes a page of the crowd from its nth byte on, and then goes on from the cursors
// at.
func (m *member) catchUp(page []byte, n int, at []history.Cursor) {
	defer m.contain()
	m.goOn(m.writeRest(page, n), at)
}

// goOn writes the messages after the cursors, until the stream is up to date and joins its
// crowd, or ends. wrote is false if the client did not read what was written before.
func (m *member) goOn(wrote bool, at []history.Cursor) {
	beaten := time.Now()
	for wrote && m.write(m.unsent()) {
		if why := cmp.Or(m.why.Load(), m.due(time.Now())); why != nil {
			m.sayLast(why, at)
			return
		}
		if time.Since(beaten) >= m.streams.tick { // a ping between pages, or while the log cannot be reached
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
			wrote = m.why.Load() != nil // if the stream is to end, tell the client why
			continue
		case err != nil:
			m.sayLast(outOfReach, at)
			return
		}
		at = slices.Clone(page.Cursors) // page.Cursors would keep the messages in memory
		news := page.HasNews()
		wrote = m.writePage(nil, page, giveBack)
		if !news { // the log cannot be reached, or the crowd has other cursors for the same place
			m.crowd.Look()
			<-time.After(lookAgain)
		}
	}
	m.close() // the client does not read, or is gone
}

// roomWithin is how long a stream waits for room. It is longer than others of its address may
// take to read what they have.
const roomWithin = 30 * time.Second

// next reads the page after the cursors, and counts it until giveBack is called. If there is
// no room, the page is dropped and read again, so that a waiting stream holds nothing. The
// error is ErrUnread if there is no room in time.
func (m *member) next(at []history.Cursor) (page *hub.Page, giveBack func(), err error) {
	budget := m.streams.budgetFor(m.address)
	defer func() {
		if page == nil { // also if reading panics
			budget.Leave()
		}
	}()
	for bytes := budget.Take(maxBytes); ; {
		page, err = m.streams.hub.Peek(context.Background(), m.places(at), maxPage, bytes)
		if err != nil {
			return nil, nil, err
		}
		page.Cut(bytes)
		size := page.Size()
		if budget.Keep(size) {
			return page, budget.Leave, nil
		}
		page = nil
		if bytes = size; !m.awaitRoom(budget, size) {
			return nil, nil, access.ErrUnread
		}
	}
}

// awaitRoom waits until there is room. ok is false if there is none in time, or if the stream
// is to end.
func (m *member) awaitRoom(budget *access.Budget, bytes int) (ok bool) {
	budget.Leave()
	until := time.Now().Add(roomWithin)
	for ; !m.over.Load() && m.why.Load() == nil && time.Now().Before(until); <-time.After(lookAgain) {
		if budget.Keep(bytes) {
			return true
		}
	}
	return false
}

// contain makes a panic end the stream and not the process.
func (m *member) contain() {
	if cause := recover(); cause != nil {
		m.streams.responder.PanickedAside(cause, "channels", m.crowd.Channels())
		m.close()
	}
}

// budgetFor returns the budget in which the pages of a stream count. A small page counts nothing.
func (s *Streams) budgetFor(address netip.Addr) *access.Budget {
	return s.access.BudgetFor(address, 2*access.SmallAnswer)
}

// hold counts bytes written to an address until giveBack is called. Few bytes count nothing.
// If ok is false there is no room. giveBack is never nil.
func (s *Streams) hold(address netip.Addr, bytes int) (giveBack func(), ok bool) {
	if bytes <= 2*access.SmallAnswer {
		return func() {}, true
	}
	return s.access.HoldFor(address, bytes)
}

// write writes anything but pages. It returns false if the client does not read, if its
// address has no room for more unread bytes, or if the stream is over.
func (m *member) write(b []byte) bool {
	giveBack, ok := m.streams.hold(m.address, len(b))
	defer giveBack()
	return ok && m.writePieces(b)
}

// writeHeartbeat writes a heartbeat, unless they are off. It returns false as write does.
func (m *member) writeHeartbeat(at []history.Cursor) bool {
	return m.streams.silent && m.inbound == nil || m.write(m.way.heartbeat(at))
}

// writePage writes before and then a page, which is counted already. It returns false as
// write does.
func (m *member) writePage(before []byte, page *hub.Page, giveBack func()) bool {
	defer giveBack()
	m.streams.metrics.Deliver(page)
	if page.HasNews() {
		before = append(before, m.way.page(page)...)
	}
	return m.writePieces(before)
}

// writeRest writes a page of the crowd from its nth byte on. It returns false as write does.
func (m *member) writeRest(page []byte, n int) bool {
	giveBack, ok := m.streams.access.HoldPage(m.address, page)
	defer giveBack()
	return ok && m.writePieces(page[n:])
}

// writePieces writes bytes that are counted already. It returns false as write does.
func (m *member) writePieces(b []byte) bool {
	for !m.over.Load() {
		n := min(len(b), pieceBytes)
		if _, err := m.sink.Write(b[:n]); err != nil { // also if b is empty, as the sink may have buffered some
			return false
		}
		if b = b[n:]; len(b) == 0 {
			return true
		}
	}
	return false
}

// unsent takes the answers of talk that wait to be sent.
func (m *member) unsent() []byte {
	if m.inbound == nil {
		return nil
	}
	m.inbound.unsentMu.Lock()
	defer m.inbound.unsentMu.Unlock()
	b := m.inbound.unsent
	m.inbound.unsent = nil
	return b
}

// join tries to join the crowd at the cursors. It returns false if there is more to read
// first. If the crowd has ended, or the stream is to end, join ends the stream and returns
// true.
func (m *member) join(at []history.Cursor) bool {
	if m.inbound != nil {
		m.inbound.unsentMu.Lock() // so that no answer is added before the stream has joined
		defer m.inbound.unsentMu.Unlock()
		if len(m.inbound.unsent) > 0 {
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
	if m.over.Load() { // closed meanwhile, when it was in no crowd to be dropped from
		m.Drop()
	} else if why := m.why.Load(); why != nil { // dismissed meanwhile
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
