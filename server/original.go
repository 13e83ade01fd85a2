package server

import (
	"errors"
	"fmt"
	"net/http"

	"pubsub/server/bus"
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
func (s *Server) sub(w http.ResponseWriter, r *http.Request, next *ask) error {
	ctx, leave, err := s.limits.admit(r, next.Channel)
	if err != nil {
		return err
	}
	defer leave()

	place, begun := s.places.of(r, next.Channel), false
	next.Since, next.Limit, next.Timeout = place.since(), 1, s.config.Heartbeat
	for {
		page, err := s.hub.Follow(ctx, &next.Query)
		switch {
		case err == nil && len(page.Messages) > 0: // a message is available on the bus
			place.set(page.Cursor)
			s.metrics.handedOver(page, next.Waited)
			closeIfDisplaced(w, r)
			return writeLine(w, page.Messages[0].JSON)
		case errors.Is(err, bus.ErrTimeout): // nobody has said anything for a while
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
func (s *Server) debug(w http.ResponseWriter, _ *http.Request) error {
	return write(w, http.StatusOK, textType, fmt.Appendf(nil, "polling = %d\nchannels = %d\n", s.hub.Waiting(), s.memory.Len()))
}
