package server

import (
	"context"
	"net/http"

	"pubsub/server/history"
)

// maxKey is how many bytes an Idempotency-Key may have.
const maxKey = 255

// posted is the answer to whoever posted a message.
type posted struct {
	Status string `json:"status"`
	ID     uint64 `json:"id"`
	Cursor string `json:"cursor"`
}

// publish publishes what read finds in a request, once for all requests with
// its Idempotency-Key and the same in them.
func (s *Server) publish(w http.ResponseWriter, r *http.Request, channel string, read func(http.ResponseWriter, *http.Request) ([]byte, error)) (posted, error) {
	if err := s.limits.admitPost(r); err != nil {
		return posted{}, err
	}
	object, err := read(w, r)
	if err != nil {
		return posted{}, err
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > maxKey {
		return posted{}, refuse(http.StatusBadRequest, "An Idempotency-Key has at most %d bytes. A random UUID is good.", maxKey)
	}
	if err := s.posts.enter(); err != nil {
		return posted{}, err
	}
	defer s.posts.leave()
	// Its sender may have hung up behind it.
	receipt, err := s.hub.Publish(context.WithoutCancel(r.Context()), history.Post{Channel: channel, Object: object, By: s.limits.NetworkOf(r), Key: key})
	if err == nil && !receipt.Repeat {
		s.metrics.published.Inc()
	}
	return posted{"sent", receipt.Cursor.ID, receipt.Cursor.String()}, err
}
