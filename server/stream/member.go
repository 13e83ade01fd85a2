package stream

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"pubsub/server/access"
	"pubsub/server/conns"
	"pubsub/server/crowd"
	"pubsub/server/history"
	"pubsub/server/hub"
)

// member is a stream. While it is in its crowd, the crowd writes to it. While it is out, one
// goroutine alone writes to it: that of catchUp, or the one that tells the client the end.
// A stream ends in one of these ways:
//
//	dismiss   the client is told why: at once if the stream is in its crowd, or by catchUp
//	told      the client was told; with a WebSocket, the client now closes the connection
//	close     at once, without a reason; told and hungUp end in close
type member struct {
	crowd.Seat
	streams *Streams
	crowd   *crowd.Crowd
	way     Way
	address netip.Addr
	leave   func()    // stops counting the stream
	until   time.Time // when the stream ends; zero if never
	inbound *inbound  // what the client sends; nil if the way has no input
	sink    sink

	expiry  atomic.Pointer[time.Timer] // dismisses the stream when its token expires; nil if it does not
	budget  *access.Budget             // for the first page
	hasSink atomic.Bool                // sink is set
	why     atomic.Pointer[farewell]   // the reason to end; nil if there is none, or if the client is not told
	over    atomic.Bool                // the stream must not be in its crowd any more
	closed  atomic.Bool                // close has ended the stream
}

// join begins a stream in a crowd. If the connection is taken over, join returns when the
// stream is up to date, as it needs no goroutine from then on. Otherwise join returns when
// the stream ends.
func (s *Streams) join(w http.ResponseWriter, r *http.Request, a *request, way Way) error {
	m := &member{streams: s, way: way, address: s.access.Source.Of(r), until: s.until()}
	leave, err := s.admit(r, m.displaced, a)
	if err != nil {
		return err
	}
	m.crowd, err = s.crowds.Enter(a.channels, s.kinds[way]) // before the first page is read, so that no message is missed
	if err != nil {
		leave()
		return err
	}
	m.leave = func() { leave(); m.crowd.Leave(); s.closed(m) }
	s.opened(m)
	m.budget = s.budgetFor(m.address)
	defer func() {
		if !m.hasSink.Load() { // otherwise close does it; a panic comes here, too
			m.budget.Leave()
			m.leave()
		}
	}()
	page, err := s.read(r, a.places, m.budget)
	switch {
	case err != nil:
		return err
	case conns.CanHijack(r):
		return m.take(w, r, page, a)
	}
	return m.hand(w, r, page, a)
}

// take takes the connection over, and writes until the stream joins its crowd or ends.
func (m *member) take(w http.ResponseWriter, r *http.Request, page *hub.Page, a *request) error {
	to, head, sent, err := takeOver(w, r, m.way.status())
	if err != nil {
		return err
	}
	m.begin(to, a)
	to.OnEnd(m.hungUp)
	if m.inbound != nil {
		m.inbound.listen(to.Hijacked, sent)
	}
	m.start(head, page)
	return nil
}

// hand makes this goroutine write what others hand to it, until the stream ends.
func (m *member) hand(w http.ResponseWriter, r *http.Request, page *hub.Page, a *request) error {
	to, head, said, err := hand(w, m.way)
	if err != nil {
		return err
	}
	defer to.release()
	m.begin(to, a)
	defer m.close()
	if m.inbound != nil {
		go m.inbound.readFrom(said)
	}
	go m.start(head, page)
	to.run(r.Context(), m.hungUp)
	return nil
}

// begin sets the sink. From then on close can end the stream.
func (m *member) begin(to sink, a *request) {
	if m.way.talks() {
		m.inbound = newInbound(m.streams, a, m)
	}
	if !a.until.IsZero() { // before close can be called, which stops the timer
		m.expiry.Store(time.AfterFunc(time.Until(a.until), func() { m.dismiss(expired) }))
	}
	m.sink = to
	m.hasSink.Store(true)
	if m.over.Load() { // displaced when there was no sink to close
		m.close()
	}
}

// due returns why the stream is to end now, nil if it is not.
func (m *member) due(now time.Time) *farewell {
	switch {
	case !m.until.IsZero() && !now.Before(m.until):
		return overAge
	case m.inbound != nil && m.inbound.isSilent(now):
		return silent
	}
	return nil
}

// Give implements crowd.Reader. If the connection does not take all of the news, the stream
// leaves the crowd and goes on by itself.
func (m *member) Give(news *crowd.News) (leave func()) {
	return m.tryWrite(news.Text, news.From, news.To)
}

// tryWrite writes b to a stream of the crowd that is at from, and is at to when all of b is
// written. If from is nil, b is not in the log and must be written in full, even if that
// needs a goroutine.
func (m *member) tryWrite(b []byte, from, to []history.Cursor) (leave func()) {
	switch n, waits, err := m.sink.TryWrite(b); {
	case err != nil:
		return m.close
	case !waits:
		return nil
	case n == 0 && from != nil:
		return func() { m.Lag(from) }
	default:
		return func() { go m.catchUp(b, n, to) }
	}
}

// Lag implements crowd.Reader. The stream goes on by itself.
func (m *member) Lag(at []history.Cursor) { go m.catchUp(nil, 0, at) }

// Tick implements crowd.Ticker. It ends the stream if its time is over, and otherwise sends a
// heartbeat if one is due.
func (m *member) Tick(now time.Time, at []history.Cursor, quiet bool) (leave func()) {
	if why := m.due(now); why != nil {
		return func() { m.tell(why, at) }
	}
	if m.inbound == nil && (!quiet || m.streams.silent) {
		return nil
	}
	b := m.way.heartbeat(at)
	if n, _, err := m.sink.TryWrite(b); err != nil || 0 < n && n < len(b) {
		return m.close
	}
	return nil // a connection that takes nothing has enough to read
}

// End implements crowd.Reader. It ends the stream as a drain does.
func (m *member) End(at []history.Cursor) { m.tell(drained, at) }

// hungUp is called when the client has hung up, maybe with a shard's lock held.
func (m *member) hungUp() {
	if !m.closed.Load() {
		go m.close()
	}
}

// displaced is called when the stream must make room, with locks held.
func (m *member) displaced(cause error) { go m.dismiss(notAllowed(cause)) }

// dismiss ends the stream, and tells a client that reads why.
func (m *member) dismiss(why *farewell) {
	m.why.CompareAndSwap(nil, why) // before Drop: join looks at why after it has joined
	if at, was := m.Drop(); was {
		m.tell(why, at)
		return
	}
	if m.hasSink.Load() {
		time.AfterFunc(closeGrace, m.close)
	} else {
		m.close()
	}
}

// tell ends a stream that was in the crowd until now. It tells the client why if the
// connection takes that at once.
func (m *member) tell(why *farewell, at []history.Cursor) {
	last := m.way.last(why, at)
	if n, _, err := m.sink.TryWrite(last); err != nil || n < len(last) {
		m.close()
		return
	}
	m.told()
}

// closeGrace is how long a client may take to read the last bytes, and with a WebSocket to
// close the connection.
const closeGrace = time.Second

// told ends the stream after the client was told why. A WebSocket is closed by the client:
// closing a connection with unread input would reset it, and the client might lose the
// reason.
func (m *member) told() {
	if m.inbound == nil {
		m.close()
		return
	}
	m.over.Store(true)
	_ = m.sink.CloseWrite()
	time.AfterFunc(closeGrace, m.close)
}

// close ends the stream without telling the client. It may be called again.
func (m *member) close() {
	m.over.Store(true)
	if !m.hasSink.Load() || m.closed.Swap(true) {
		return
	}
	m.Drop()
	if timer := m.expiry.Load(); timer != nil {
		timer.Stop()
	}
	if m.inbound != nil {
		m.inbound.end()
	}
	m.sink.Close(m.leave)
}

func (m *member) ended() bool { return m.closed.Load() }

// send writes an answer of talk, in full.
func (m *member) send(b []byte) {
	write := func(at []history.Cursor) (leave func()) { return m.tryWrite(b, nil, at) }
	for !m.Do(write) && !m.inbound.keep(m, b) {
	}
}

// places returns the places of the channels after the cursors.
func (m *member) places(at []history.Cursor) []hub.Place {
	places := make([]hub.Place, len(at))
	for i, channel := range m.crowd.Channels() {
		places[i] = hub.Place{Channel: channel, Since: history.After(at[i]), By: m.address}
	}
	return places
}
