// Package post takes what clients post: it reads what they sent, whatever it is called,
// and publishes it.
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

// Publisher is the one way to the hub for what is posted.
type Publisher struct {
	Gate    Gate
	hub     *hub.Hub
	access  *access.Control
	metrics *observe.Metrics
	max     int // bytes of a message, 0 for no limit
}

// NewPublisher publishes messages of at most so many bytes, 0 for no limit.
func NewPublisher(h *hub.Hub, control *access.Control, metrics *observe.Metrics, maxBytes int) *Publisher {
	return &Publisher{hub: h, access: control, metrics: metrics, max: maxBytes}
}

// maxKey is how many bytes an Idempotency-Key may have.
const maxKey = 255

// Publish publishes what read finds in a request, once for all requests with its
// Idempotency-Key and the same in them.
func (p *Publisher) Publish(w http.ResponseWriter, r *http.Request, channel string, read func(*Body) (any, error)) (history.Receipt, error) {
	if err := p.access.Authorize(r, access.Publish, channel); err != nil {
		return history.Receipt{}, err
	}
	if err := p.access.AdmitPost(r); err != nil {
		return history.Receipt{}, err
	}
	body := &Body{w, r, p.max}
	posted, err := read(body)
	if err != nil {
		return history.Receipt{}, err
	}
	object, err := body.compact(posted)
	if err != nil {
		return history.Receipt{}, err
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return history.Receipt{}, web.Refuse(http.StatusBadRequest, "An Idempotency-Key has at most %d bytes. A random UUID is good.", maxKey)
	}
	// Its sender may have hung up behind it, and it is published even so.
	return p.keep(context.WithoutCancel(r.Context()), history.Post{Channel: channel, Object: object, By: p.access.Source.NetworkOf(r), Key: key})
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
