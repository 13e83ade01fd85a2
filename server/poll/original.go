package server

import (
	"errors"
	"fmt"
	"net/http"
	"pubsub/server/hub"
)

// index is the chat page.
func (s *Server) index(w http.ResponseWriter, r *http.Request) error {
	return s.assets.page(w, r)
}

// pub publishes what a client posted.
func (s *Server) pub(w http.ResponseWriter, r *http.Request, channel string) error {
	answer, err := s.publish(w, r, channel, s.readPosted)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

// sub waits for the next message and answers with it alone. It never times
// out: while nothing is said the client is sent a newline now and then, which
// JSON allows before a value and which finds out who is gone.
func (s *Server) sub(w http.ResponseWriter, r *http.Request, asked *ask) error {
	ctx, leave, err := s.limits.admit(r, asked.places[0].Channel)
	if err != nil {
		return err
	}
	defer leave()

	place, begun := s.places.of(r, asked.places[0].Channel), false
	asked.places[0].Since = place.since()
	next, err := s.hub.Follow(asked.places[:], 1)
	if err != nil {
		return err
	}
	defer next.Close()
	for {
		next.SetTimeout(s.config.Heartbeat)
		page, err := next.Next(ctx)
		switch {
		case err == nil && len(page.Messages) > 0: // a message is available on the bus
			place.set(page.Cursors[0])
			s.metrics.handedOver(page)
			closeIfDisplaced(w, r)
			return writeLine(w, page.Messages[0].JSON)
		case errors.Is(err, hub.ErrTimeout): // nobody has said anything for a while
			if err := writeHeartbeat(w); err != nil {
				return err
			}
			begun = true
		case errors.Is(err, errDraining) && begun: // an answer of newlines has no message: ask again
			return errAnswered
		case err != nil && begun: // somebody else has its place: not as if it had been answered
			panic(http.ErrAbortHandler)
		case err != nil: // the client is gone, or the server is going
			return err
		}
	}
}

// debug lets us see how many polls are active.
func (s *Server) debug(w http.ResponseWriter, r *http.Request) error {
	channels, err := s.hub.Len(r.Context())
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, textType, fmt.Appendf(nil, "polling = %d\nchannels = %d\n", s.hub.Waiting(), channels))
}
