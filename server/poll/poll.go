// Package poll answers each request once, with what there is or with what comes. A
// poll's wait and answer are here; what it asks for and how it is answered is its
// dialect's: original.go and cursor.go, event.go, api.go, chat.go.
package poll

import (
	"errors"
	"net/http"
	"time"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/settings"
	"pubsub/server/web"
)

const maxBytes = 256 << 10 // of messages in an answer, but for a larger one alone

// Polls answers polls.
type Polls struct {
	hub       *hub.Hub
	access    *access.Control
	responder *web.Responder
	metrics   *observe.Metrics
	bookmarks *bookmarks

	timeout   time.Duration // of a poll that names none, 0 for the longest there is
	heartbeat time.Duration // of a plain poll, 0 for none

	strangers occasion // to warn of cursors of another process
}

// New takes the times of the settings.
func New(s *settings.Settings, h *hub.Hub, control *access.Control, responder *web.Responder, metrics *observe.Metrics) *Polls {
	return &Polls{
		hub: h, access: control, responder: responder, metrics: metrics, bookmarks: newBookmarks(control.Source),
		timeout: s.PollTimeout, heartbeat: s.Heartbeat,
	}
}

// Forget forgets clients that have not been given a message for a while.
func (p *Polls) Forget() { p.bookmarks.forget() }

// Poll waits on the named channel for what a request asks for in a dialect, and answers.
//
// Thousands of requests wait in it at a time, so what they have on their stacks counts:
// there is no call between it and the follower's Next.
func (p *Polls) Poll(w http.ResponseWriter, r *http.Request, name string, dialect Dialect) {
	q, err := p.query(r, name, dialect)
	switch {
	case err != nil:
	case q.plain:
		err = p.plain(w, r, q)
	case q.timeout == 0:
		page, readErr := p.hub.Read(r.Context(), q.places[:], q.limit)
		err = p.answer(w, r, q, page, readErr)
	default:
		ctx, leave, refused := p.access.AdmitPoll(r, q.places[0].Channel)
		if err = refused; err != nil {
			break
		}
		defer leave()
		next, closed := p.hub.Follow(q.places[:], q.limit)
		if err = closed; err != nil {
			break
		}
		defer next.Close()
		next.SetTimeout(q.timeout)
		page, ended := next.Next(ctx)
		err = p.answer(w, r, q, page, ended)
	}
	if err != nil {
		p.responder.Error(w, r, err)
	}
}

// answer answers with the page of a poll that ended with err.
func (p *Polls) answer(w http.ResponseWriter, r *http.Request, q *Query, page *hub.Page, err error) error {
	if err != nil && !endedInTime(err) {
		return err
	}
	if page.Gap != nil && page.Gap.Reason == history.Restarted {
		p.slowDown(r)
	}
	page.Cut(maxBytes)
	giveBack, ok := p.access.HoldAnswer(r, page.Size())
	if !ok { // it asks for the rest when it has read this
		page.Cut(access.SmallAnswer)
	}
	defer giveBack()
	p.responder.Closing(w.Header())
	closeIfDisplaced(w, r)
	p.metrics.Deliver(page)
	if q.goesOn {
		q.bookmark.set(page.Cursors[0])
	}
	return q.answer(w, q, page)
}

// endedInTime tells whether a poll ended without a message in a way that lets its client
// ask again with the same cursor.
func endedInTime(err error) bool {
	return errors.Is(err, hub.ErrTimeout) || errors.Is(err, web.ErrDraining)
}

// closeIfDisplaced closes the connection behind an answer whose poll was displaced when
// it had it already.
func closeIfDisplaced(w http.ResponseWriter, r *http.Request) {
	if access.Displaced(r) {
		w.Header()["Connection"] = web.Closed
	}
}
