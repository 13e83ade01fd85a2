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
// seat and a timeout, but no goroutine. One of these ends its wait:
//
//	Give     news, in the crowd's goroutine
//	Due      the timeout
//	dismiss  another poll that needs the place
//	End      the crowd, at the drain
//	hungUp   the client
//
// All but hungUp first take the poll out of its seat, which only one of them can. Then they
// call Take of the exchange. If that returns true they answer and release the poll. Otherwise
// the client is gone, and hungUp releases it.
type waiter struct {
	crowd.Seat
	wheel.Entry
	polls      *Polls
	form       *form
	crowd      *crowd.Crowd
	exchange   exchange        // nil until the handler has left the request
	compressor *web.Compressor // nil if the answer is not compressed
	address    netip.Addr
	unnamed    bool   // the path of the request names no channel
	forget     func() // stops counting the poll
	absent     func() // ends the client's presence
	until      time.Time

	cause atomic.Pointer[error] // why the poll is displaced; nil if it is not
	gone  atomic.Bool           // the client is gone
}

// exchange has the methods of a [conns.Exchange].
type exchange interface {
	Take() bool
	Header() http.Header
	Closes() bool
	Send(answer []byte, last bool, hold func(answer []byte) (giveBack func(), ok bool))
	Close()
}

// lingerFor is how long a crowd goes on when all of its polls were answered, because most
// clients come back at once.
const lingerFor = time.Second

// lookAgain is how long a poll waits that has nothing to read and cannot join its crowd.
const lookAgain = 50 * time.Millisecond

// form is how the polls of a crowd are answered.
type form struct {
	limit int    // messages at most
	path  string // of the request, before the channel
	// body returns the JSON of an answer. It may use the channel only if the page has no
	// messages, as the body of other pages is shared.
	body func(page *hub.Page, channel string) []byte
}

func (p *Polls) kindOf(f *form) *crowd.Kind {
	return &crowd.Kind{
		Limit: f.limit, Bytes: maxBytes, Gather: hub.Gather, Linger: lingerFor, Once: true,
		Encode: func(page *hub.Page) []byte { return f.body(page, "") },
		Count:  p.metrics.DeliverTo,
	}
}

// await answers a poll with the messages that are there, or makes it wait in a crowd.
func (p *Polls) await(w http.ResponseWriter, r *http.Request, q *Query) error {
	m := &waiter{
		polls: p, form: q.form, address: q.by(), unnamed: r.URL.Path == subPath, until: time.Now().Add(q.timeout),
	}
	q.name = strings.Clone(q.name) // otherwise the name keeps the whole address of the request in memory
	var err error
	if m.forget, err = p.access.AdmitStream(r, m.displaced, q.channels); err != nil {
		return err
	}
	defer func() { // also after a panic
		if m.exchange == nil {
			m.leave()
		}
	}()
	if m.absent, err = p.enter(q); err != nil {
		return err
	}
	if m.crowd, err = p.crowdFor(r, q); err != nil {
		return err
	}
	at, is := q.isAt(m.crowd)
	if !is {
		turn.HandOn(r.Context())
		budget := p.budgetFor(q)
		defer budget.Leave()
		page, err := p.hub.Gathered(r.Context(), q.places, q.limit, budget)
		if err != nil || page.HasNews() {
			return p.answer(w, r, q, page, budget, err)
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

// crowdFor returns the crowd in which a poll waits. Opening one may take a moment.
func (p *Polls) crowdFor(r *http.Request, q *Query) (*crowd.Crowd, error) {
	kind := p.kinds[q.form]
	if c := p.crowds.Find(q.channels, kind); c != nil {
		return c, nil
	}
	turn.HandOn(r.Context())
	return p.crowds.Enter(q.channels, kind)
}

// isAt tells whether a poll begins where the crowd is, so that there is nothing to read. It
// also returns that place. A poll with an id only begins after the message of that id.
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

// take takes the request from its handler, see [conns.Wait].
func (m *waiter) take(w http.ResponseWriter, r *http.Request) error {
	m.compressor = web.CompressorFor(w)
	e, err := conns.Wait(w, r, m.hungUp)
	if err != nil {
		return context.Canceled // the client is gone
	}
	m.exchange = e
	m.polls.hub.Waits(1)
	return nil
}

// joined joins the crowd by join. It returns false if there is more to read after at.
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
	switch { // each may have happened before the poll was in its seat
	case m.gone.Load():
		m.Drop()
		m.polls.timeouts.Remove(&m.Entry)
	case m.cause.Load() != nil:
		go m.dismiss() // dismiss may wait
	case !time.Now().Before(m.until):
		m.Due()
	}
	return true
}

// readOn reads the log after the cursors until there is news to answer with, or until the
// poll has joined its crowd.
func (m *waiter) readOn(at []history.Cursor) {
	defer m.contain()
	for !m.gone.Load() {
		page, err := m.read(at)
		switch cause := m.cause.Load(); {
		case err != nil:
			m.refuse(err)
			return
		case page.HasNews() || !time.Now().Before(m.until):
			m.answer(page)
			return
		case cause != nil:
			m.refuse(*cause)
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
	budget := m.polls.access.BudgetFor(m.address, access.SmallAnswer)
	defer budget.Leave()
	return m.polls.hub.Gathered(context.Background(), places, m.form.limit, budget)
}

// contain makes a panic end the poll and not the process.
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
		if len(news.Page.Messages) == 0 { // the body may name the channel
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

// End implements [crowd.Reader]. The client polls again from where it was.
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

// displaced is called when the poll must make room, with locks held.
func (m *waiter) displaced(cause error) {
	m.cause.Store(&cause)
	go m.dismiss()
}

// dismiss ends the wait of a poll that is displaced.
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

// over ends the wait, and calls answer if the client is there. If answer panics the
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
	m.release() // before the answer, after which the client asks again
	answer()
	answered = true
}

// leave gives back what await has taken, in the opposite order.
func (m *waiter) leave() {
	if m.crowd != nil {
		m.crowd.Leave()
	}
	if m.absent != nil {
		m.absent()
	}
	m.forget()
}

// release frees all but the connection. Call it once.
func (m *waiter) release() {
	m.polls.timeouts.Remove(&m.Entry)
	m.leave()
	m.polls.hub.Waits(-1) // last, so that there is room when the poll is not counted any more
}

// answer answers with a page that is not shared.
func (m *waiter) answer(page *hub.Page) {
	m.over(func() {
		m.polls.metrics.Deliver(page)
		m.send(m.body(page), nil)
	})
}

func (m *waiter) body(page *hub.Page) []byte { return m.form.body(page, m.crowd.Channels()[0]) }

// send sends JSON. If shared is not nil, it makes the whole answer that polls without headers
// of their own have in common.
func (m *waiter) send(body []byte, shared func() []byte) {
	if shared != nil && m.exchange.Header() == nil && !m.exchange.Closes() && !m.polls.responder.Draining() {
		m.exchange.Send(shared(), false, m.hold)
		return
	}
	a := web.Collect(m.exchange.Header(), m.compressor)
	m.polls.responder.Closing(a.Header())
	_ = web.WriteBody(a, http.StatusOK, body) // cannot fail
	m.sendAnswer(a)
}

func (m *waiter) sendAnswer(a *web.Collected) {
	closes := m.exchange.Closes()
	answer := conns.AppendAnswer(nil, a.Status, a.Header(), a.Body, closes)
	m.exchange.Send(answer, closes || len(a.Header()["Connection"]) > 0, m.hold)
}

// hold counts an answer that the connection does not take at once. If there is no room the
// client polls again and gets a smaller page from the log.
func (m *waiter) hold(answer []byte) (giveBack func(), ok bool) {
	return m.polls.access.HoldPage(m.address, answer)
}

// refuse answers with an error.
func (m *waiter) refuse(err error) {
	m.over(func() {
		a, r := web.Collect(m.exchange.Header(), m.compressor), m.request()
		m.polls.responder.Answer(a, r, m.polls.responder.ProblemFor(r, err))
		m.sendAnswer(a)
	})
}

// subPath is the path of a poll that waits in a crowd if the path names no channel.
const subPath = "/sub"

// request returns a request with just what an error and its log line need. The client's own
// would keep some kilobytes for as long as the poll waits.
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

// whole returns the whole answer with news, for polls without headers of their own. It is
// made once compressed and once plain.
func (m *waiter) whole(news *crowd.News) []byte {
	made := &news.Made[0]
	if m.compressor != nil {
		made = &news.Made[1]
	}
	if *made == nil {
		a := web.Collect(nil, m.compressor)
		_ = web.WriteBody(a, http.StatusOK, news.Text) // cannot fail
		*made = conns.AppendAnswer(nil, a.Status, a.Header(), a.Body, false)
	}
	return *made
}
