package poll

import (
	"errors"
	"fmt"
	"net/http"

	"pubsub/server/hub"
	"pubsub/server/post"
	"pubsub/server/web"
)

// Index is the chat page.
func Index(assets *web.Assets) web.Handler { return assets.Page }

// Pub publishes what a client posted.
func Pub(posts *post.Publisher, w http.ResponseWriter, r *http.Request, channel string) error {
	receipt, err := posts.Publish(w, r, channel, (*post.Body).Message)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, struct {
		Status string `json:"status"`
		ID     uint64 `json:"id"`
		Cursor string `json:"cursor"`
	}{"sent", receipt.Cursor.ID, receipt.Cursor.String()})
}

// Sub asks for the next message alone. With since it is a poll of the cursor API.
func Sub(fields web.Fields, q *Query) error {
	if fields.Has("since") {
		return Cursor(fields, q)
	}
	q.plain = true
	return nil
}

// plain waits for the next message. It never times out: while nothing is said the client
// is sent a newline now and then, which finds out who is gone.
func (p *Polls) plain(w http.ResponseWriter, r *http.Request, q *Query) error {
	ctx, leave, err := p.access.AdmitPoll(r, q.places[0].Channel)
	if err != nil {
		return err
	}
	defer leave()

	bookmark, begun := p.bookmarks.of(r, q.places[0].Channel), false
	q.places[0].Since = bookmark.since()
	next, err := p.hub.Follow(q.places[:], 1)
	if err != nil {
		return err
	}
	defer next.Close()
	for {
		next.SetTimeout(p.heartbeat)
		page, err := next.Next(ctx)
		switch {
		case err == nil && len(page.Messages) > 0: // a message is available on the bus
			bookmark.set(page.Cursors[0])
			p.metrics.Deliver(page)
			closeIfDisplaced(w, r)
			return web.WriteLine(w, page.Messages[0].JSON)
		case errors.Is(err, hub.ErrTimeout): // nobody has said anything for a while
			if err := web.WriteHeartbeat(w); err != nil {
				return err
			}
			begun = true
		case errors.Is(err, web.ErrDraining) && begun: // an answer of newlines has no message: ask again
			return web.ErrAnswered
		case err != nil && begun: // somebody else has its place: not as if it had been answered
			panic(http.ErrAbortHandler)
		case err != nil: // the client is gone, or the server is going
			return err
		}
	}
}

// Debug lets us see how many polls are active.
func Debug(h *hub.Hub) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		channels, err := h.Len(r.Context())
		if err != nil {
			return err
		}
		return web.Write(w, http.StatusOK, web.Text, fmt.Appendf(nil, "polling = %d\nchannels = %d\n", h.Waiting(), channels))
	}
}
