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

// member is a stream. It is in its crowd, which writes to it; or it is out, and belongs to a
// goroutine, which alone writes to it then: that of catchUp, or who tells it the end. How it
// ends:
//
//	dismiss   the client is to be told why: at once if it is in the crowd, or by catchUp
//	told      it was told; of a WebSocket, its client now closes it
//	close     at once, without a word; told and hungUp end in it
type member struct {
	crowd.Seat
	streams *Streams
	crowd   *crowd.Crowd
	way     Way
	address netip.Addr
	leave   func()    // no limit counts it any more
	until   time.Time // when it ends; zero is never
	talk    *talk     // what its client says; nil if it cannot
	link    link

	expiry atomic.Pointer[time.Timer] // ends it with its token; nil if that does not
	room   *access.Room               // for its first page
	linked atomic.Bool                // link is set
	why    atomic.Pointer[farewell]   // why it is to end, if not at once
	over   atomic.Bool                // it must not be in its crowd any more
	closed atomic.Bool                // nothing of it is left
}

// join begins a stream in a crowd. When it is up to date, it needs no goroutine any more,
// unless its connection cannot be taken over: that returns when the stream ends.
func (s *Streams) join(w http.ResponseWriter, r *http.Request, a *asked, way Way) error {
	m := &member{streams: s, way: way, address: s.access.Source.Of(r), until: s.until()}
	leave, err := s.admit(r, m.displaced, a)
	if err != nil {
		return err
	}
	m.crowd, err = s.crowds.Enter(a.channels, s.kinds[way]) // before it reads, so that nothing falls between
	if err != nil {
		leave()
		return err
	}
	m.leave = func() { leave(); m.crowd.Leave(); s.closed(m) }
	s.opened(m)
	m.room = s.roomFor(m.address)
	defer func() {
		if !m.linked.Load() { // else close does it; here also for a panic, as of who hangs up while it is slowed down
			m.room.Leave()
			m.leave()
		}
	}()
	page, err := s.read(r, a.places, m.room)
	switch {
	case err != nil:
		return err
	case conns.CanTakeOver(r):
		return m.take(w, r, page, a)
	}
	return m.hand(w, r, page, a)
}

// take takes the connection over, and writes until the stream is in the crowd or ends.
func (m *member) take(w http.ResponseWriter, r *http.Request, page *hub.Page, a *asked) error {
	to, head, sent, err := takeOver(w, r, m.way.status())
	if err != nil {
		return err
	}
	m.begin(to, a)
	to.OnEnd(m.hungUp)
	if m.talk != nil {
		m.talk.listen(to.Taken, sent)
	}
	m.start(head, page)
	return nil
}

// hand has this goroutine write what others hand to it, until the stream ends.
func (m *member) hand(w http.ResponseWriter, r *http.Request, page *hub.Page, a *asked) error {
	to, head, said, err := hand(w, m.way)
	if err != nil {
		return err
	}
	defer to.release()
	m.begin(to, a)
	defer m.close()
	if m.talk != nil {
		go m.talk.readFrom(said)
	}
	go m.start(head, page)
	to.run(r.Context(), m.hungUp)
	return nil
}

// begin is called when there is a link to write to, and close can end it.
func (m *member) begin(to link, a *asked) {
	if m.way.talks() {
		m.talk = newTalk(m.streams, a, m)
	}
	if !a.until.IsZero() { // before close can be called, which stops it
		m.expiry.Store(time.AfterFunc(time.Until(a.until), func() { m.dismiss(expired) }))
	}
	m.link = to
	m.linked.Store(true)
	if m.over.Load() { // it was displaced when there was nothing to close
		m.close()
	}
}

// due tells why the stream is to end now, nil if it is not.
func (m *member) due(now time.Time) *farewell {
	switch {
	case !m.until.IsZero() && !now.Before(m.until):
		return overAge
	case m.talk != nil && m.talk.isSilent(now):
		return silent
	}
	return nil
}

// Give writes news. A connection that does not take all of it leaves the crowd, and goes on
// by itself from where it is.
func (m *member) Give(news *crowd.News) (leave func()) {
	return m.tryWrite(news.Text, news.From, news.To)
}

// tryWrite writes to a stream of the crowd that is at one place, and is at another when it
// has all of b. Without a place from which it can be read again, b is written by all means.
func (m *member) tryWrite(b []byte, from, to []history.Cursor) (leave func()) {
	switch n, waits, err := m.link.TryWrite(b); {
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

// Lag has the stream go on by itself.
func (m *member) Lag(at []history.Cursor) { go m.catchUp(nil, 0, at) }

// Tick ends the stream if it is over its time, and otherwise writes to it if it is silent.
func (m *member) Tick(now time.Time, at []history.Cursor, quiet bool) (leave func()) {
	if why := m.due(now); why != nil {
		return func() { m.tell(why, at) }
	}
	if m.talk == nil && (!quiet || m.streams.silent) {
		return nil
	}
	b := m.way.heartbeat(at)
	if n, _, err := m.link.TryWrite(b); err != nil || 0 < n && n < len(b) {
		return m.close
	}
	return nil // if the connection takes none of it, it has enough to read
}

// End ends the stream as a drain does.
func (m *member) End(at []history.Cursor) { m.tell(drained, at) }

// hungUp is called when the client has hung up, maybe by who holds a shard's lock.
func (m *member) hungUp() {
	if !m.closed.Load() {
		go m.close()
	}
}

// displaced is called when the stream has to make room, with locks held.
func (m *member) displaced(cause error) { go m.dismiss(notAllowed(cause)) }

// dismiss ends the stream. It tells the client why, unless that does not read.
func (m *member) dismiss(why *farewell) {
	m.why.CompareAndSwap(nil, why) // first: if it joins meanwhile, that looks at this then
	if at, was := m.Drop(); was {
		m.tell(why, at)
		return
	}
	if m.linked.Load() {
		time.AfterFunc(closeGrace, m.close)
	} else {
		m.close()
	}
}

// tell ends a stream that was in the crowd up to now, and tells it why if it takes that at
// once.
func (m *member) tell(why *farewell, at []history.Cursor) {
	last := m.way.last(why, at)
	if n, _, err := m.link.TryWrite(last); err != nil || n < len(last) {
		m.close()
		return
	}
	m.told()
}

// closeGrace is how long a client may take to read the last bytes, and that of a WebSocket
// to close it.
const closeGrace = time.Second

// told ends the stream when its client was told why. A WebSocket is closed by its client:
// a connection with input that nobody has read would be reset, and with it what the client
// was told.
func (m *member) told() {
	if m.talk == nil {
		m.close()
		return
	}
	m.over.Store(true)
	_ = m.link.CloseWrite()
	time.AfterFunc(closeGrace, m.close)
}

// close ends the stream without a word. It may be called again.
func (m *member) close() {
	m.over.Store(true)
	if !m.linked.Load() || m.closed.Swap(true) {
		return
	}
	m.Drop()
	if timer := m.expiry.Load(); timer != nil {
		timer.Stop()
	}
	if m.talk != nil {
		m.talk.end()
	}
	m.link.Close(m.leave)
}

func (m *member) ended() bool { return m.closed.Load() }

// send writes something beside the pages.
func (m *member) send(b []byte) {
	write := func(at []history.Cursor) (leave func()) { return m.tryWrite(b, nil, at) }
	for !m.Do(write) && !m.talk.keep(m, b) {
	}
}

// places are those of a cursor for each of the channels.
func (m *member) places(at []history.Cursor) []hub.Place {
	places := make([]hub.Place, len(at))
	for i, channel := range m.crowd.Channels() {
		places[i] = hub.Place{Channel: channel, Since: history.After(at[i]), By: m.address}
	}
	return places
}
