package poll

import (
	"net/http"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/presence"
	"pubsub/server/web"
)

// Cursor is the [Dialect] of /sub with the field since. It asks for all messages after that
// cursor. At the timeout its answer is an empty list. With the field presence its client is
// present while it waits.
func Cursor(fields web.Fields, q *Query) (err error) {
	q.limit, q.answer, q.several, q.form = maxPage, answerPage, true, pages
	all, err := history.ParseSinces(fields.First("since"), len(q.places))
	for i := range all {
		q.places[i].Since = all[i]
	}
	if err == nil {
		q.name, err = presence.NameOf(fields, q.grant)
	}
	return err
}

// pages is the form of the answers of [Cursor].
var pages = &form{limit: maxPage, path: "/sub/", body: func(page *hub.Page, _ string) []byte {
	return append(page.AppendJSON(nil), '\n')
}}

func answerPage(w http.ResponseWriter, _ *Query, page *hub.Page) error {
	return web.WriteBody(w, http.StatusOK, pages.body(page, ""))
}
