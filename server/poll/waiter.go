package poll

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"pubsub/server/access"
	"pubsub/server/conns"
	"pubsub/server/crowd"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/turn"
	"pubsub/server/web"
	"pubsub/server/wheel"
)

// waiter is a poll that waits in a crowd. Its handler has returned: it has a connection, a
// seat and an entry for its timeout, and no goroutine. Who ends its wait:
//
//	Give     news, in the crowd's goroutine
//	Due      its timeout
//	dismiss  somebody who needs its place
//	End      the crowd: the server drains
//	hungUp   its client
//
// All but the last take it out of its seat first, which only one of them can, and then ask
// its exchange, which tells whether the client is still there. Who is told so answers and
// releases it; else hungUp is called, or was, and does.
type waiter struct {
	crowd.Seat
	wheel.Entry
	polls      *Polls
	form       *form
	crowd      *crowd.Crowd
	exchange   exchange        // nil until its handler has left it
	compressor *web.Compressor // nil: the answer is plain
	address    netip.Addr
	unnamed    bool   // its path names no channel
	leave      func() // no limit counts it any more, and its client is not here
	until      time.Time

	cause atomic.Pointer[error] // why it has to make room, if it has
	gone  atomic.Bool           // its client is
}

// exchange is a [conns.Exchange].
type exchange interface {
	Take() bool
	Header() http.Header
	Closes() bool
	Send(answer []byte, last bool, hold func(answer []byte) (giveBack func(), ok bool))
	Close()
}

// lingerFor is how long a crowd goes on when all of its polls were answered: most come back
// at once.
const lingerFor = time.Second

// lookAgain is how long a poll waits that has nothing to read, and cannot join.
const lookAgain = 50 * time.Millisecond

// form is how polls that wait in one crowd are answered.
type form struct {
	limit int    // messages
	path  string // of their addresses, before the channel
	// body returns an answer's JSON for a page of a channel. Only one without messages may
	// name that.
	body func(page *hub.Page, channel string) []byte
}

func (p *Polls) kindOf(f *form) *crowd.Kind {
	return &crowd.Kind{
		Limit: f.limit, Bytes: maxBytes, Gather: hub.Gather, Linger: lingerFor, Once: true,
		Encode: func(page *hub.Page) []byte { return f.body(page, "") },
		Count:  p.metrics.DeliverTo,
	}
}

// await answers a poll with what there is, or has it wait in a crowd.
func (p *Polls) await(w http.ResponseWriter, r *http.Request, q *Query) error {
	m := &waiter{
		polls: p, form: q.form, address: p.access.Source.Of(r), unnamed: r.URL.Path == subPath, until: time.Now().Add(q.timeout),
	}
	for i, channel := range q.channels { // else it keeps the address of the request, which may be long
		q.channels[i] = strings.Clone(channel)
	}
	q.name = strings.Clone(q.name)
	forget, err := p.access.AdmitStream(r, m.displaced, q.channels)
	if err != nil {
		return err
	}
	m.leave = forget
	defer func() { // also for a panic
		if m.exchange == nil {
			m.leave()
		}
	}()
	gone, err := p.enter(r, q)
	if err != nil {
		return err
	}
	m.leave = func() { gone(); forget() }
	if m.crowd, err = p.crowdFor(r, q); err != nil {
		return err
	}
	m.leave = func() { m.crowd.Leave(); gone(); forget() }
	at, is := q.isAt(m.crowd)
	if !is {
		turn.HandOn(r.Context())
		room := p.roomFor(r)
		defer room.Leave()
		page, err := p.hub.Gathered(r.Context(), q.places, q.limit, room)
		if err != nil || page.HasNews() {
			return p.answer(w, r, q, page, room, err)
		}
		at = page.Cursors
	}
	if err := m.take(w, r); err != nil {
		return err
	}
	join := m.crowd.Join
	if is {
		join = m.crowd.JoinUnread
	}
	if !m.joined(join, at) {
		turn.HandOn(r.Context())
		m.readOn(at)
	}
	return nil
}

// crowdFor is where a poll waits. Opening a crowd may take a moment.
func (p *Polls) crowdFor(r *http.Request, q *Query) (*crowd.Crowd, error) {
	kind := p.kinds[q.form]
	if c := p.crowds.Find(q.channels, kind); c != nil {
		return c, nil
	}
	turn.HandOn(r.Context())
	return p.crowds.Enter(q.channels, kind)
}

// isAt tells whether a poll begins where a crowd is, so that there is nothing to read, and
// where that is. A poll that has no more than an id begins behind the message of that id.
func (q *Query) isAt(c *crowd.Crowd) (at []history.Cursor, is bool) {
	if since := q.places[0].Since; since.Kind == history.SinceID {
		at = c.At()
		return at, at != nil && at[0].ID == since.N
	}
	at = make([]history.Cursor, len(q.places))
	for i := range q.places {
		if q.places[i].Since.Kind != history.SinceCursor {
			return nil, false
		}
		at[i] = q.places[i].Since.Cursor()
	}
	return at, c.IsAt(at)
}

// take takes the request from its handler.
func (m *waiter) take(w http.ResponseWriter, r *http.Request) error {
	m.compressor = web.CompressorFor(w)
	e, err := conns.Wait(w, r, m.hungUp)
	if err != nil {
		return context.Canceled // its client is gone
	}
	m.exchange = e
	m.polls.hub.Waits(1)
	return nil
}

// joined joins the crowd by one of its two ways, if nothing has come after some places.
func (m *waiter) joined(join func(crowd.Reader, []history.Cursor) crowd.Outcome, at []history.Cursor) bool {
	m.polls.timeouts.Add(&m.Entry, time.Until(m.until), m)
	switch join(m, at) {
	case crowd.Ended:
		m.polls.timeouts.Remove(&m.Entry)
		m.End(at)
		return true
	case crowd.Behind:
		m.polls.timeouts.Remove(&m.Entry)
		return false
	}
	switch { // it may have happened before it had joined, when it was not found in its seat
	case m.gone.Load():
		m.Drop()
		m.polls.timeouts.Remove(&m.Entry)
	case m.cause.Load() != nil:
		go m.dismiss() // which may wait
	case !time.Now().Before(m.until):
		m.Due()
	}
	return true
}

// readOn reads the log after some places until there is news, which it answers with, or until
// it has joined its crowd.
func (m *waiter) readOn(at []history.Cursor) {
	defer m.contain()
	for !m.gone.Load() {
		page, err := m.read(at)
		switch {
		case err != nil:
			m.refuse(err)
			return
		case page.HasNews() || !time.Now().Before(m.until):
			m.answer(page)
			return
		case m.joined(m.crowd.Join, page.Cursors):
			return
		}
		at = page.Cursors
		m.crowd.Look()
		<-time.After(lookAgain)
	}
}

func (m *waiter) read(at []history.Cursor) (*hub.Page, error) {
	places := make([]hub.Place, len(at))
	for i, channel := range m.crowd.Channels() {
		places[i] = hub.Place{Channel: channel, Since: history.After(at[i]), By: m.address}
	}
	room := m.polls.access.RoomFor(m.address, access.SmallAnswer)
	defer room.Leave()
	return m.polls.hub.Gathered(context.Background(), places, m.form.limit, room)
}

// contain has a panic end the poll, and not the process.
func (m *waiter) contain() {
	cause := recover()
	if cause == nil {
		return
	}
	if cause != http.ErrAbortHandler {
		m.polls.responder.PanickedAside(cause, "channels", m.crowd.Channels())
	}
	m.refuse(web.ErrPanic)
}

// Give implements [crowd.Reader].
func (m *waiter) Give(news *crowd.News) (leave func()) {
	m.over(func() {
		if len(news.Page.Messages) == 0 { // its body may name the channel
			m.send(m.body(news.Page), nil)
			return
		}
		m.send(news.Text, func() []byte { return m.whole(news) })
	})
	return nil
}

// Lag implements [crowd.Reader].
func (m *waiter) Lag(at []history.Cursor) {
	m.polls.timeouts.Remove(&m.Entry)
	go m.readOn(at)
}

// End implements [crowd.Reader]: its client polls again from where it was.
func (m *waiter) End(at []history.Cursor) {
	m.answer(&hub.Page{Starts: at, Cursors: at})
}

// Due implements [wheel.Waiter].
func (m *waiter) Due() {
	defer m.contain()
	if at, was := m.Drop(); was {
		m.End(at)
	}
}

// displaced is called when the poll has to make room, with locks held.
func (m *waiter) displaced(cause error) {
	m.cause.Store(&cause)
	go m.dismiss()
}

// dismiss ends the wait with the cause that it has to make room.
func (m *waiter) dismiss() {
	defer m.contain()
	if _, was := m.Drop(); was {
		m.refuse(*m.cause.Load())
	}
}

// hungUp is called when the client is gone, maybe with locks held.
func (m *waiter) hungUp() {
	go func() {
		m.gone.Store(true)
		m.Drop()
		m.release()
	}()
}

// over ends the wait, and has it answered if its client is there. If that panics its
// connection is closed.
func (m *waiter) over(answer func()) {
	if !m.exchange.Take() {
		return
	}
	answered := false
	defer func() {
		if !answered {
			m.exchange.Close()
		}
	}()
	m.release() // first: when it has the answer, its client asks again
	answer()
	answered = true
}

// release frees all but the connection. It is called once.
func (m *waiter) release() {
	m.polls.timeouts.Remove(&m.Entry)
	m.leave()
	m.polls.hub.Waits(-1) // last, so that there is room when nobody is seen to wait
}

// answer answers with a page that is its own.
func (m *waiter) answer(page *hub.Page) {
	m.over(func() {
		m.polls.metrics.Deliver(page)
		m.send(m.body(page), nil)
	})
}

func (m *waiter) body(page *hub.Page) []byte { return m.form.body(page, m.crowd.Channels()[0]) }

// send sends JSON. shared, if it is not nil, makes the whole answer for those who need no
// header of their own.
func (m *waiter) send(body []byte, shared func() []byte) {
	if shared != nil && m.exchange.Header() == nil && !m.exchange.Closes() && !m.polls.responder.Draining() {
		m.exchange.Send(shared(), false, m.hold)
		return
	}
	a := web.Collect(m.exchange.Header(), m.compressor)
	m.polls.responder.Closing(a.Header())
	_ = web.WriteBody(a, http.StatusOK, body) // it cannot fail
	m.sendAnswer(a)
}

func (m *waiter) sendAnswer(a *web.Collected) {
	closes := m.exchange.Closes()
	answer := conns.AppendAnswer(nil, a.Status, a.Header(), a.Body, closes)
	m.exchange.Send(answer, closes || len(a.Header()["Connection"]) > 0, m.hold)
}

// hold counts an answer that is not taken in at once. If there is no room its client comes
// again, and reads the log, where it is given less.
func (m *waiter) hold(answer []byte) (giveBack func(), ok bool) {
	return m.polls.access.HoldPage(m.address, answer)
}

// refuse answers with an error.
func (m *waiter) refuse(err error) {
	m.over(func() {
		a, r := web.Collect(m.exchange.Header(), m.compressor), m.request()
		m.polls.responder.Answer(a, r, m.polls.responder.Refused(r, err))
		m.sendAnswer(a)
	})
}

// subPath is the path of a poll that waits in a crowd, if it names no channel.
const subPath = "/sub"

// request is one that has what an answer with an error and its log line need. That of the
// client would keep some kilobytes for as long as it waits.
func (m *waiter) request() *http.Request {
	path := subPath
	if !m.unnamed {
		path = m.form.path + strings.Join(m.crowd.Channels(), ",")
	}
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, RemoteAddr: m.address.String(), Header: make(http.Header)}
	if id := m.exchange.Header()["X-Request-Id"]; id != nil {
		r.Header["X-Request-Id"] = id
	}
	return r
}

// whole returns the whole answer with news for those who need no header of their own, which
// is made once for those whose answers are compressed, and once for the others.
func (m *waiter) whole(news *crowd.News) []byte {
	made := &news.Made[0]
	if m.compressor != nil {
		made = &news.Made[1]
	}
	if *made == nil {
		a := web.Collect(nil, m.compressor)
		_ = web.WriteBody(a, http.StatusOK, news.Text) // it cannot fail
		*made = conns.AppendAnswer(nil, a.Status, a.Header(), a.Body, false)
	}
	return *made
}
