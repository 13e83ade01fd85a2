package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"pubsub/server/access"
	"pubsub/server/hub"
	"pubsub/server/post"
	"pubsub/server/web"
)

// Pub answers POST /pub: it publishes a nick and a message, from a form or as JSON. The
// answer has the id and the cursor of the message.
func Pub(posts *post.Publisher, w http.ResponseWriter, r *http.Request, channel string) error {
	receipt, err := posts.Publish(w, r, channel, (*post.Body).Message)
	if err != nil {
		return err
	}
	if web.WantsPage(r) { // a form without JavaScript
		return web.SeeOther(w, "/?plain&channel="+channel)
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
		ID     uint64 `json:"id"`
		Cursor string `json:"cursor"`
	}{"sent", receipt.Cursor.ID, receipt.Cursor.String()})
}

// Sub is the [Dialect] of /sub. It asks for the next message only. With the field since it is
// the same as [Cursor].
func Sub(fields web.Fields, q *Query) error {
	if fields.Has("since") {
		return Cursor(fields, q)
	}
	q.plain, q.resume, q.several = true, true, true
	return nil
}

// plain answers a plain /sub with the next message. Such a poll has no timeout. While it
// waits, newlines are sent: routers close a silent connection, and writing shows whether the
// client is still there.
func (p *Polls) plain(w http.ResponseWriter, r *http.Request, q *Query) error {
	ctx, leave, err := p.access.AdmitPoll(r, q.channels...)
	if err != nil {
		return err
	}
	defer leave()

	begun := false // a newline was sent
	next, err := p.hub.Follow(q.places, 1)
	if err != nil {
		return err
	}
	defer next.Close()
	for {
		next.SetTimeout(q.beat(p.heartbeat))
		page, err := next.Next(ctx)
		switch {
		case err == nil && context.Cause(r.Context()) == context.Canceled: // the client hung up as the message came
			return context.Canceled
		case err == nil && len(page.Messages) > 0:
			page.Cut(0) // each channel may have one
			p.readers.had(q, page.Cursors)
			p.metrics.Deliver(page)
			closeIfDisplaced(w, r)
			if err := web.WriteLine(w, page.Messages[0].JSON); err != nil {
				p.readers.hadNot(q, page)
				return err
			}
			return nil
		case errors.Is(err, hub.ErrTimeout) && q.grant.Left(1) == 0: // the token has expired
			if begun {
				return web.ErrAnswered
			}
			return access.ErrExpired
		case errors.Is(err, hub.ErrTimeout): // no message since the last newline
			if err := web.WriteHeartbeat(w); err != nil {
				return err
			}
			begun = true
		case errors.Is(err, web.ErrDraining) && begun: // no message: the client polls again
			return web.ErrAnswered
		case err != nil && begun: // displaced: cut off, so that it does not look like an answer
			panic(http.ErrAbortHandler)
		case err != nil: // the client hung up, or the server drains
			return err
		}
	}
}

// beat returns the time between newlines, at most as long as the client's grant lasts. 0 is
// for ever.
func (q *Query) beat(heartbeat time.Duration) time.Duration {
	if q.grant.Until.IsZero() {
		return heartbeat
	}
	if heartbeat == 0 {
		heartbeat = time.Hour
	}
	return max(q.grant.Left(heartbeat), 1)
}

// Debug answers GET /debug as text, with the number of pending polls, of channels and of open
// streams.
func Debug(h *hub.Hub, streams func() int) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		channels, err := h.Len(r.Context())
		if err != nil {
			return err
		}
		return web.Write(w, http.StatusOK, web.Text, fmt.Appendf(nil, "polling = %d\nchannels = %d\nstreams = %d\n", h.Waiting(), channels, streams()))
	}
}
