// Package poll has the endpoints that answer a request once: with the messages that are
// there, or with the next ones as soon as they are published.
//
// This file has what all polls share: waiting and answering. What a request may ask for and
// the form of its answer are a [Dialect], in original.go, cursor.go, event.go and api.go. The
// endpoints of chat.go and channels.go have no dialect. A poll that sends a cursor or an id
// waits without a goroutine: see waiter.go.
package poll

import (
	"errors"
	"net/http"
	"time"

	"pubsub/server/access"
	"pubsub/server/conns"
	"pubsub/server/crowd"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/presence"
	"pubsub/server/settings"
	"pubsub/server/turn"
	"pubsub/server/web"
	"pubsub/server/wheel"
)

// maxBytes is how many bytes of messages an answer has at most. A single message may be
// larger.
const maxBytes = hub.PageBytes

// Polls answers polls in any dialect. Its methods are safe for concurrent use.
type Polls struct {
	hub       *hub.Hub
	access    *access.Control
	responder *web.Responder
	metrics   *observe.Metrics
	presence  *presence.Presence
	readers   *readers

	transcripts *transcripts // of /chat
	listed      bool         // /channels answers; if not, it refuses every request

	crowds   *crowd.Crowds // of polls that wait without a goroutine
	kinds    map[*form]*crowd.Kind
	timeouts wheel.Wheel

	timeout   time.Duration // of a poll without the field timeout; 0 is settings.MaxTimeout
	heartbeat time.Duration // between the newlines of a plain poll; 0 is none
}

// New returns polls with the poll timeout and the heartbeat of the settings.
func New(s *settings.Settings, h *hub.Hub, control *access.Control, responder *web.Responder, metrics *observe.Metrics, here *presence.Presence) *Polls {
	p := &Polls{
		hub: h, access: control, responder: responder, metrics: metrics, presence: here, readers: newReaders(control.Source),
		transcripts: newTranscripts(h), listed: s.ListChannels,
		timeout: s.PollTimeout, heartbeat: s.Heartbeat,
	}
	p.kinds = map[*form]*crowd.Kind{pages: p.kindOf(pages), events: p.kindOf(events), lists: p.kindOf(lists)}
	p.crowds = crowd.New(h, func(cause any, channels []string) { responder.PanickedAside(cause, "channels", channels) })
	return p
}

// Drain ends the polls that wait in a crowd, after they got what was published before. Their
// clients poll again elsewhere. Drain does not wait.
func (p *Polls) Drain() { p.crowds.Drain() }

// Forget frees the memory of clients that have not asked for a minute. Call it now and then.
func (p *Polls) Forget() { p.readers.forget() }

// Poll waits until the named channels have what a request asks for, and answers in the given
// dialect. It answers errors, too.
//
// Thousands of requests may wait here, and the stack of each takes memory. So Poll calls the
// follower's Next itself, without another function between them.
func (p *Polls) Poll(w http.ResponseWriter, r *http.Request, names string, dialect Dialect) {
	q, err := p.query(r, names, dialect)
	if err == nil && q.resume {
		p.readers.take(r, q)
		defer p.readers.leave(q)
	}
	switch {
	case err != nil:
	case q.plain:
		err = p.plain(w, r, q)
	case q.timeout == 0:
		turn.HandOn(r.Context())
		leave, refused := p.enter(q)
		if err = refused; err != nil {
			break
		}
		leave() // the client is not present any more
		budget := p.budgetFor(q)
		defer budget.Leave()
		page, readErr := p.read(r, q.places, q.limit, budget)
		err = p.answer(w, r, q, page, budget, readErr)
	case q.form != nil && conns.CanWait(r) && !p.responder.Draining() && !web.WantsPage(r): // a page would get its error as JSON
		err = p.await(w, r, q)
	default:
		turn.HandOn(r.Context())
		ctx, leave, refused := p.access.AdmitPoll(r, q.channels...)
		if err = refused; err != nil {
			break
		}
		defer leave()
		gone, refused := p.enter(q)
		if err = refused; err != nil {
			break
		}
		defer gone()
		next, closed := p.hub.Follow(q.places, q.limit)
		if err = closed; err != nil {
			break
		}
		defer next.Close()
		next.SetTimeout(q.timeout)
		budget := p.budgetFor(q)
		defer budget.Leave()
		next.SetBudget(budget)
		page, ended := next.Next(ctx)
		err = p.answer(w, r, q, page, budget, ended)
	}
	if err != nil {
		p.responder.Error(w, r, err)
	}
}

func (p *Polls) budgetFor(q *Query) *access.Budget {
	return p.access.BudgetFor(q.by(), access.SmallAnswer)
}

// read reads the messages that are there, and counts them in the budget.
func (p *Polls) read(r *http.Request, places []hub.Place, limit int, budget *access.Budget) (*hub.Page, error) {
	bytes := budget.Take(maxBytes)
	page, err := p.hub.ReadUpTo(r.Context(), places, limit, bytes)
	if err != nil {
		return nil, err
	}
	page.Cut(bytes)
	budget.Keep(page.Size()) // a single large message may take more than the budget has
	return page, nil
}

// answer answers a poll whose wait returned page and err. The page is counted in the budget.
func (p *Polls) answer(w http.ResponseWriter, r *http.Request, q *Query, page *hub.Page, budget *access.Budget, err error) error {
	if err != nil && !endedInTime(err) {
		return err
	}
	if page.Gap != nil && page.Gap.Reason == history.Restarted {
		page = p.slowRestart(r, q, page, budget)
	}
	p.responder.Closing(w.Header())
	closeIfDisplaced(w, r)
	p.metrics.Deliver(page)
	if q.resume {
		p.readers.had(q, page.Cursors)
	}
	return q.answer(w, q, page)
}

// slowRestart delays the client of a restarted log. If it waited, it returns what is read
// after that instead of the page.
func (p *Polls) slowRestart(r *http.Request, q *Query, page *hub.Page, budget *access.Budget) *hub.Page {
	if !p.access.SlowRestart(r, p.responder.Log, func() { page.Empty(); budget.Leave() }) {
		return page
	}
	for i := range q.places {
		q.places[i].Since = history.After(page.Cursors[i])
	}
	rest, err := p.read(r, q.places, q.limit, budget)
	if err != nil || rest.Gap != nil { // the client asks for that next
		budget.Leave()
		return page
	}
	rest.Gap = page.Gap
	return rest
}

// endedInTime tells whether a poll ended without a message, at its timeout or the drain. Both
// are answered in the same way, and the client polls again from where it was.
func endedInTime(err error) bool {
	return errors.Is(err, hub.ErrTimeout) || errors.Is(err, web.ErrDraining)
}

// closeIfDisplaced closes the connection after the answer if the poll was displaced while it
// was answered. The next poll on that connection would end at once.
func closeIfDisplaced(w http.ResponseWriter, r *http.Request) {
	if access.Displaced(r) {
		w.Header()["Connection"] = web.Closed
	}
}
