package poll

import (
	"net/http"

	"pubsub/server/access"
	"pubsub/server/address"
	"pubsub/server/post"
	"pubsub/server/presence"
	"pubsub/server/web"
)

// enter makes the client of a poll present if the poll has a name. Call leave when the poll
// ends.
func (p *Polls) enter(q *Query) (leave func(), err error) {
	if q.name == "" {
		return func() {}, nil
	}
	return p.presence.Enter(q.by(), q.name, q.channels)
}

// Who answers GET /presence with how many clients are in a channel, and their names unless
// they are too many.
func (p *Polls) Who(w http.ResponseWriter, r *http.Request, channel string) error {
	if _, err := p.access.Authorize(r, access.Subscribe, channel); err != nil {
		return err
	}
	count, names, err := p.presence.Who(r.Context(), channel)
	if err != nil {
		return err
	}
	answer := map[string]any{"channel": channel, "count": count}
	if len(names) == count {
		answer["names"] = append([]string{}, names...) // [] and not null
	}
	return web.WriteJSON(w, http.StatusOK, answer)
}

// Typing returns the handler of POST /presence: it tells on the companion that a client
// types. If that was told a moment ago it is not told again, and the answer is the same.
func Typing(here *presence.Presence, source address.Source) func(*post.Publisher, http.ResponseWriter, *http.Request, string) error {
	return func(posts *post.Publisher, w http.ResponseWriter, r *http.Request, channel string) error {
		name, grant, err := posts.Typing(w, r, channel)
		if err != nil {
			return err
		}
		if name, err = presence.Name(name, grant); err != nil {
			return err
		}
		if err := here.Typing(r.Context(), source.Of(r), channel, name); err != nil {
			return err
		}
		return web.WriteJSON(w, http.StatusOK, map[string]string{"status": "sent"})
	}
}
