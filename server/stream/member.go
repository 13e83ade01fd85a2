package stream

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"pubsub/server/conns"
	"pubsub/server/history"
	"pubsub/server/hub"
)

// member is a stream whose connection was taken over from net/http. It is in a shard of
// its crowd, which writes to the connection; or it is in none, and has a goroutine in
// catchUp, which alone writes to it then.
type member struct {
	streams *Streams
	crowd   *crowd
	address netip.Addr
	leave   func() // no limit counts it any more
	until   int64  // when it ends, in Unix milliseconds
	talk    *talk  // what its client says; nil if it cannot

	expiry atomic.Pointer[time.Timer]  // ends it with its token; nil if that does not
	conn   atomic.Pointer[conns.Taken] // nil before it is taken over
	over   atomic.Bool                 // it is in no shard any more
	closed atomic.Bool                 // nothing of it is left
	shard  atomic.Pointer[shard]       // set with the shard's lock held
	index  int                         // in shard.members; the shard's lock guards it
}

// join begins a stream in a crowd. When it is up to date, it needs no goroutine any more.
func (s *Streams) join(w http.ResponseWriter, r *http.Request, a *asked, way Way) error {
	m := &member{streams: s, address: s.access.Source.Of(r), until: s.until()}
	leave, err := s.admit(r, m.displaced, a)
	if err != nil {
		return err
	}
	m.crowd, err = s.enter(a, way) // before it reads, so that nothing falls between
	if err != nil {
		leave()
		return err
	}
	m.leave = func() { leave(); s.leaveCrowd(m.crowd); s.closed(m) }
	s.opened(m)
	page, err := s.read(r, a.places)
	if err == nil {
		err = m.take(w, r, page, a)
	}
	if err != nil {
		m.leave()
	}
	return err
}

// take takes the connection over, and writes until the stream is in the crowd or ends.
func (m *member) take(w http.ResponseWriter, r *http.Request, page *hub.Page, a *asked) error {
	way := m.crowd.way
	head := headOf(w.Header(), way.status())
	conn, early, err := conns.TakeOver(w, r)
	if err != nil {
		return err
	}
	if way.talks() {
		m.talk = newTalk(m.streams, a, m)
	}
	if !a.until.IsZero() { // before close can be called, which stops it
		m.expiry.Store(time.AfterFunc(time.Until(a.until), func() { m.dismiss(expired) }))
	}
	m.conn.Store(conn)
	conn.OnEnd(m.hungUp)
	if m.over.Load() { // it was displaced when there was no connection to close
		m.close()
	}
	b := append(append(head, way.first(page)...), m.crowd.encode(page)...)
	m.streams.metrics.DeliverTo(page, 1)
	if m.talk != nil {
		m.talk.listen(conn, early)
	}
	m.catchUp(b, page.Cursors)
	return nil
}

// due tells why the stream is to end now, nil if it is not. It is asked at each tick.
func (m *member) due(now int64) *farewell {
	switch {
	case now >= m.until:
		return overAge
	case m.talk != nil && m.talk.isSilent():
		return silent
	}
	return nil
}

// hungUp is called when the client has hung up, maybe by who holds a shard's lock.
func (m *member) hungUp() {
	if !m.closed.Load() {
		go m.close()
	}
}

// displaced is called when the stream has to make room, with locks held.
func (m *member) displaced(cause error) { go m.dismiss(notAllowed(cause)) }

// dismiss ends the stream. It tells the client why, unless something else is being written.
func (m *member) dismiss(why *farewell) {
	if s := m.shard.Load(); s == nil || !s.dismissOne(m, why) {
		m.close()
	}
}

// closeGrace is how long a client of a WebSocket may take to close it, once it was told.
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
	_ = m.conn.Load().CloseWrite()
	time.AfterFunc(closeGrace, m.close)
}

// close ends the stream without a word. It may be called again, and by who holds the lock
// of a shard in which the stream is not.
func (m *member) close() {
	m.over.Store(true)
	conn := m.conn.Load()
	if conn == nil || m.closed.Swap(true) {
		return
	}
	for s := m.shard.Load(); s != nil; s = m.shard.Load() {
		s.drop(m)
	}
	_ = conn.Close()
	if timer := m.expiry.Load(); timer != nil {
		timer.Stop()
	}
	if m.talk != nil {
		m.talk.release()
	}
	m.leave()
}

func (m *member) ended() bool { return m.closed.Load() }

// send writes something beside the pages.
func (m *member) send(b []byte) {
	for {
		if s := m.shard.Load(); s != nil && s.send(m, b) {
			return
		}
		if m.shard.Load() == nil && m.talk.keep(m, b) {
			return
		}
	}
}

// places are the places of a cursor for each of the crowd's channels.
func (c *crowd) places(at []history.Cursor) []hub.Place {
	places := make([]hub.Place, len(at))
	for i := range at {
		places[i] = hub.Place{Channel: c.channels[i], Since: history.After(at[i])}
	}
	return places
}
