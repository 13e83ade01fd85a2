// Package post reads what clients post, as a form or as JSON, and publishes it.
package post

import (
	"context"
	"net/http"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/web"
)

// Publisher publishes posts for all endpoints. Make it with [NewPublisher]. It is safe for
// concurrent use.
type Publisher struct {
	Gate    Gate // closed in a drain
	hub     *hub.Hub
	access  *access.Control
	metrics *observe.Metrics
	max     int // bytes of a message at most; 0 is no limit
}

// NewPublisher returns a Publisher of messages with at most maxBytes; 0 is no limit.
func NewPublisher(h *hub.Hub, control *access.Control, metrics *observe.Metrics, maxBytes int) *Publisher {
	return &Publisher{hub: h, access: control, metrics: metrics, max: maxBytes}
}

// MaxKey is how many bytes an Idempotency-Key may have.
const MaxKey = 255

// Publish publishes the result of read for the body of a request, once the request is
// admitted. A repeat of an earlier request, with the same Idempotency-Key and content, is not
// published again, and its receipt says so. Errors that a client can mend are a
// [web.Problem]. Others are those of [hub.Hub.Publish].
func (p *Publisher) Publish(w http.ResponseWriter, r *http.Request, channel string, read func(*Body) (any, error)) (history.Receipt, error) {
	grant, err := p.admit(r, channel)
	if err != nil {
		return history.Receipt{}, err
	}
	posted, err := read(&Body{w, r, p.max})
	if err != nil {
		return history.Receipt{}, err
	}
	return p.publish(r, channel, r.Header.Get("Idempotency-Key"), named(posted, grant.Name))
}

// PublishObject is Publish for a JSON object that is not a body. r tells who the client is.
func (p *Publisher) PublishObject(r *http.Request, channel, key string, text []byte) (history.Receipt, error) {
	grant, err := p.admit(r, channel)
	if err != nil {
		return history.Receipt{}, err
	}
	posted, err := parseObject(text, p.max)
	if err != nil {
		return history.Receipt{}, err
	}
	return p.publish(r, channel, key, named(posted, grant.Name))
}

// MaxBody returns how many bytes a body may have, 0 if there is no limit. It allows six times
// the bytes of a message, because an escape of JSON or of a form takes up to six bytes for
// one.
func (p *Publisher) MaxBody() int { return maxBody(p.max) }

func maxBody(max int) int {
	if max == 0 {
		return 0
	}
	return 6*max + 4<<10
}

// admit returns an error if the client of a request may not publish on a channel now.
func (p *Publisher) admit(r *http.Request, channel string) (access.Grant, error) {
	if history.IsCompanion(channel) { // a WebSocket that names no channel posts to the one it listens to
		return access.Grant{}, history.ErrCompanion
	}
	grant, err := p.access.Authorize(r, access.Publish, channel)
	if err != nil {
		return grant, err
	}
	return grant, p.access.AdmitPost(r)
}

// named puts the name from a client's token into its post as the nick, so that nobody posts
// as somebody else. Without a name the client chooses its nick.
func named(posted any, name string) any {
	if name == "" {
		return posted
	}
	switch posted := posted.(type) {
	case map[string]any:
		posted["nick"] = name
		dropAliases(posted)
	case *message:
		posted.Nick = &name
	}
	return posted
}

// checkSeen refuses a message without visible text, and a nick that could be mistaken for
// another.
func checkSeen(posted any) error {
	var nick, text string
	switch posted := posted.(type) {
	case map[string]any: // fields of other types are for programs
		nick, _ = posted["nick"].(string)
		text, _ = posted["message"].(string)
	case *message:
		if posted.Nick != nil {
			nick = *posted.Nick
		}
		text = *posted.Message
	}
	if text != "" && !web.Shows(text) {
		return ErrNoMessage
	}
	if nick == "" {
		return nil
	}
	return web.About("nick", web.CheckName(nick))
}

func (p *Publisher) publish(r *http.Request, channel, key string, posted any) (history.Receipt, error) {
	if err := checkSeen(posted); err != nil {
		return history.Receipt{}, err
	}
	object, err := compact(posted, p.max)
	if err != nil {
		return history.Receipt{}, err
	}
	if len(key) > MaxKey {
		return history.Receipt{}, web.Refuse(http.StatusBadRequest, "An Idempotency-Key has at most %d bytes. A random UUID is good.", MaxKey)
	}
	return p.keep(r.Context(), history.Post{Channel: channel, Object: object, By: p.access.Source.NetworkOf(r), Key: key})
}

func (p *Publisher) keep(ctx context.Context, post history.Post) (history.Receipt, error) {
	if err := p.Gate.enter(); err != nil {
		return history.Receipt{}, err
	}
	defer p.Gate.leave()
	receipt, err := p.hub.Publish(ctx, post)
	if err == nil && !receipt.Repeat {
		p.metrics.Published.Inc()
	}
	return receipt, err
}
