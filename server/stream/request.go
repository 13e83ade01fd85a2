package stream

import (
	"context"
	"net/http"
	"time"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/presence"
	"pubsub/server/web"
)

// request holds what a request for a stream asks for.
type request struct {
	sender   *http.Request // for messages that the client will publish; it has the client's rights
	channels []string
	places   []hub.Place
	name     string    // the client is present under this name; "" if it is not
	until    time.Time // when the token expires; zero if never
}

// ask parses and authorizes a request for a stream of the named channels.
func (s *Streams) ask(r *http.Request, names string) (*request, error) {
	if r.ContentLength != 0 {
		return nil, web.Refuse(http.StatusBadRequest, "A request for a stream has no body. Put what you ask for into the query.")
	}
	fields, err := web.FieldsOf(r)
	if err != nil {
		return nil, err
	}
	channels, err := history.ParseChannels(names)
	if err != nil {
		return nil, err
	}
	if r, err = s.access.Redeem(r, fields.First("ticket")); err != nil {
		return nil, err
	}
	grant, err := s.access.Authorize(r, access.Subscribe, channels...)
	if err != nil {
		return nil, err
	}
	since, err := history.ParseSinces(sinceOf(r, fields), len(channels))
	if err != nil {
		return nil, err
	}
	name, err := presence.NameOf(fields, grant)
	if err != nil {
		return nil, err
	}
	sender, err := s.access.Known(senderOf(r), r)
	if err != nil {
		return nil, err
	}
	a := &request{sender: sender, channels: channels, name: name, until: grant.Until}
	by := s.access.Source.Of(r)
	for i, channel := range channels {
		a.places = append(a.places, hub.Place{Channel: channel, Since: since[i], By: by})
	}
	return a, nil
}

// admit counts a stream until leave is called. If the request has a name, its client is
// present until then. end is called when the stream must make room.
func (s *Streams) admit(r *http.Request, end context.CancelCauseFunc, a *request) (leave func(), err error) {
	forget, err := s.access.AdmitStream(r, end, a.channels)
	if err != nil || a.name == "" {
		return forget, err
	}
	gone, err := s.presence.Enter(s.access.Source.Of(r), a.name, a.channels)
	if err != nil {
		forget()
		return nil, err
	}
	return func() { gone(); forget() }, nil
}

// sinceOf returns where a stream begins. When a browser's EventSource connects again, its
// address still has the place where it first began. The place that it has reached is in
// Last-Event-ID, so the header comes first. Libraries that cannot set the header send a
// field.
func sinceOf(r *http.Request, fields web.Fields) string {
	if id := r.Header.Get("Last-Event-Id"); id != "" {
		return id
	}
	for _, name := range []string{"last_event_id", "lastEventId", "since"} {
		if fields.Has(name) {
			return fields.First(name)
		}
	}
	return "now"
}
