package poll

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// Chat answers with all messages of a channel as text, one line for each, as soon as the
// length of the text differs from the field cur_len. Lengths are in UTF-16 units, as in
// JavaScript. At the timeout it answers 304.
func (p *Polls) Chat(w http.ResponseWriter, r *http.Request) error {
	fields, err := fieldsOf(r)
	if err != nil {
		return err
	}
	channel, err := history.ParseChannel(fields.First("chat_id"))
	if err != nil {
		return err
	}
	grant, err := p.access.Authorize(r, access.Subscribe, channel)
	if err != nil {
		return err
	}
	length := 0
	if text := fields.First("cur_len"); text != "" {
		if length, err = strconv.Atoi(text); err != nil {
			return web.Refuse(http.StatusBadRequest, "cur_len must be the length of the text that you have.")
		}
	}
	timeout, err := p.timeoutOf(fields)
	if err != nil {
		return err
	}
	timeout = grant.Left(timeout)
	ctx, leave, err := p.access.AdmitPoll(r, channel)
	if err != nil {
		return err
	}
	defer leave()
	return p.followText(ctx, w, r, channel, length, timeout)
}

// followText waits until the text has another length, and answers with it.
func (p *Polls) followText(ctx context.Context, w http.ResponseWriter, r *http.Request, channel string, length int, timeout time.Duration) error {
	// Only the first turn can be refused by the limit, so that a request counts once.
	until := time.Now().Add(timeout)
	for admit := func() error { return p.access.AdmitRead(r) }; ; admit = func() error { return nil } {
		now, err := p.transcripts.now(r.Context(), channel, admit)
		if err != nil {
			return err
		}
		if now.length != length {
			return p.writeText(w, r, now)
		}
		left := time.Until(until)
		if left <= 0 {
			return p.notModified(w)
		}
		since := history.After(now.cursor) // not now.text, so that a waiting poll holds no text
		page, err := p.nextOf(ctx, hub.Place{Channel: channel, Since: since}, left)
		switch {
		case endedInTime(err):
			return p.notModified(w)
		case err != nil:
			return err
		}
		p.metrics.Deliver(page)
	}
}

// nextOf waits for the first message after a place.
func (p *Polls) nextOf(ctx context.Context, place hub.Place, timeout time.Duration) (*hub.Page, error) {
	next, err := p.hub.Follow([]hub.Place{place}, 1)
	if err != nil {
		return nil, err
	}
	defer next.Close()
	next.SetTimeout(timeout)
	return next.Next(ctx)
}

func (p *Polls) writeText(w http.ResponseWriter, r *http.Request, s snapshot) error {
	giveBack, ok := p.access.HoldAnswer(r, len(s.text))
	if !ok {
		return access.ErrUnread
	}
	defer giveBack()
	closeIfDisplaced(w, r)
	return web.WriteText(w, s.text, s.fill)
}

func (p *Polls) notModified(w http.ResponseWriter) error {
	p.responder.Closing(w.Header())
	web.Fresh(w.Header())
	w.WriteHeader(http.StatusNotModified)
	return nil
}
