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

// asked is what a request asks for.
type asked struct {
	sender   *http.Request // for what the client will say: it has its rights
	channels []string
	places   []hub.Place
	name     string    // under which the client is present; "" if it is not
	until    time.Time // when the client must show a token anew; zero is never
}

// ask reads what a request asks for on the named channels.
func (s *Streams) ask(r *http.Request, names string) (*asked, error) {
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
	a := &asked{sender: sender, channels: channels, name: name, until: grant.Until}
	by := s.access.Source.Of(r)
	for i, channel := range channels {
		a.places = append(a.places, hub.Place{Channel: channel, Since: since[i], By: by})
	}
	return a, nil
}

// admit counts a stream until leave is called, and has its client be present meanwhile if
// it asks for that. end is called when the stream has to make room.
func (s *Streams) admit(r *http.Request, end context.CancelCauseFunc, a *asked) (leave func(), err error) {
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

// sinceOf is where a stream begins. A browser's EventSource that connects again sends the
// place that it has reached as Last-Event-ID, and the address with the place where it once
// began: so the header comes first. Libraries without that header send a field.
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
