package poll

import (
	"net/http"
	"strconv"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/web"
)

// Back answers with the last messages of a channel up to a place, oldest first. With the
// start of the answer the client goes on back, with the cursor of the answer it goes forward.
func (p *Polls) Back(w http.ResponseWriter, r *http.Request, channel string) error {
	if _, err := p.access.Authorize(r, access.Subscribe, channel); err != nil {
		return err
	}
	since, limit, err := backOf(r)
	if err != nil {
		return err
	}
	by := p.access.Source.Of(r)
	budget := p.access.BudgetFor(by, access.SmallAnswer)
	defer budget.Leave()
	bytes := budget.Take(maxBytes)
	page, err := p.hub.ReadUpTo(r.Context(), []hub.Place{{Channel: channel, Since: since, By: by}}, limit, bytes)
	if err != nil {
		return err
	}
	page.CutOldest(bytes)
	budget.Keep(page.Size())
	p.responder.Closing(w.Header())
	return answerPage(w, nil, page)
}

// backOf parses the place from which to go back, and the limit. The place is the newest
// message by default.
func backOf(r *http.Request) (since history.Since, limit int, err error) {
	fields, err := fieldsOf(r)
	if err != nil {
		return since, 0, err
	}
	limit = maxPage
	if text := fields.First("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || maxPage < limit {
			return since, 0, web.Refuse(http.StatusBadRequest, "limit must be a number of messages from 1 to %d.", maxPage)
		}
	}
	if !fields.Has("before") {
		return history.Back(), limit, nil
	}
	cursor, err := history.ParseCursor(fields.First("before"))
	if err != nil {
		return since, 0, web.Refuse(http.StatusBadRequest, "before must be a cursor that this server gave you, such as the start of an answer.")
	}
	return history.Before(cursor), limit, nil
}
