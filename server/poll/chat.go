package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// chat answers with the conversation as text once its length is not cur_len,
// counted in UTF-16 units as JavaScript does, or with 304 at the timeout.
func (s *Server) chat(w http.ResponseWriter, r *http.Request) error {
	query, err := queryOf(r)
	if err != nil {
		return err
	}
	channel, err := channelOf(query.first("chat_id"))
	if err != nil {
		return err
	}
	length := 0
	if text := query.first("cur_len"); text != "" {
		if length, err = strconv.Atoi(text); err != nil {
			return refuse(http.StatusBadRequest, "cur_len must be the length of the text that you have.")
		}
	}
	timeout, err := s.timeoutOf(query)
	if err != nil {
		return err
	}
	ctx, leave, err := s.limits.admit(r, channel)
	if err != nil {
		return err
	}
	defer leave()
	return s.follow(ctx, w, r, channel, length, timeout)
}

// follow waits for a conversation to have another length, and answers with it.
func (s *Server) follow(ctx context.Context, w http.ResponseWriter, r *http.Request, channel string, length int, timeout time.Duration) error {
	for begin := func() error { return s.limits.admitRead(r) }; ; begin = func() error { return nil } {
		said, err := s.transcripts.now(r.Context(), channel, begin)
		if err != nil {
			return err
		}
		if said.length != length {
			return s.writeChat(w, r, said)
		}
		if timeout == 0 {
			return s.notModified(w)
		}
		since := history.After(said.cursor) // what waits holds no text
		page, err := s.next(ctx, hub.Place{Channel: channel, Since: since}, timeout)
		switch {
		case endedInTime(err):
			return s.notModified(w)
		case err != nil:
			return err
		}
		s.metrics.handedOver(page)
	}
}

// next waits for the next message.
func (s *Server) next(ctx context.Context, place hub.Place, timeout time.Duration) (*hub.Page, error) {
	next, err := s.hub.Follow([]hub.Place{place}, 1)
	if err != nil {
		return nil, err
	}
	defer next.Close()
	next.SetTimeout(timeout)
	return next.Next(ctx)
}

func (s *Server) writeChat(w http.ResponseWriter, r *http.Request, said said) error {
	giveBack, ok := s.limits.holdAnswer(r, len(said.text))
	if !ok {
		return errUnread
	}
	defer giveBack()
	closeIfDisplaced(w, r)
	if err := write(w, http.StatusOK, textType, nil); err != nil {
		return err
	}
	for _, part := range [...]string{said.text, said.fill} { // not copied: it may wait for long
		if _, err := io.WriteString(w, part); err != nil {
			return errors.Join(errAnswered, err)
		}
	}
	return nil
}

func (s *Server) notModified(w http.ResponseWriter) error {
	s.closing(w.Header())
	fresh(w.Header())
	w.WriteHeader(http.StatusNotModified)
	return nil
}
