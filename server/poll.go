package server

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
)

const (
	maxTimeout = 60 * time.Second // of a poll that names one
	maxPage    = 256              // messages in an answer
	maxBytes   = 256 << 10        // of messages in an answer, but for a larger one alone
)

// fit cuts a page to what one answer may hold, since a thousand clients that
// never read theirs hold a thousand of them in memory.
func fit(page history.Page) history.Page {
	size := 0
	for i, m := range page.Messages {
		if size += len(m.JSON); i > 0 && size > maxBytes {
			page.Messages, page.More = page.Messages[:i], true
			page.Cursor.ID = page.Messages[i-1].ID
			break
		}
	}
	return page
}

// pollOf reads what every poll has.
func (s *Server) pollOf(r *http.Request) (channel string, query url.Values, err error) {
	// The context of a request ends on a hang-up only when its body was read
	// (golang/go#23262), and a poll waits on that.
	if r.Body != http.NoBody {
		return "", nil, refuse(http.StatusBadRequest, "A poll has no body. Put what you ask for into the query.")
	}
	if channel, err = channelOf(r); err != nil {
		return "", nil, err
	}
	query, err = queryOf(r)
	return channel, query, err
}

// wait returns what channel has since the given place, and waits for it up to
// timeout, for ever if that is 0. Then the error is [bus.ErrTimeout] and the
// page tells where to go on.
func (s *Server) wait(ctx context.Context, channel string, since history.Since, limit int, timeout time.Duration) (history.Page, error) {
	began := time.Now()
	page, err := s.hub.Follow(ctx, channel, since, limit, timeout)
	page = fit(page)
	s.metrics.handedOver(page, began)
	return page, err
}

// poll is wait for a poll that ends with an empty page at its timeout.
func (s *Server) poll(w http.ResponseWriter, r *http.Request, channel string, query url.Values, since history.Since, limit int) (history.Page, error) {
	timeout, err := s.timeoutOf(query)
	if err != nil {
		return history.Page{}, err
	}
	if timeout == 0 {
		page, err := s.hub.Read(channel, since, limit)
		page = fit(page)
		s.metrics.handedOver(page, time.Now())
		return page, err
	}
	ctx, leave, err := s.limits.admit(r, channel)
	if err != nil {
		return history.Page{}, err
	}
	defer leave()
	page, err := s.wait(ctx, channel, since, limit, timeout)
	s.closing(w.Header())
	if errors.Is(err, bus.ErrTimeout) || errors.Is(err, errDraining) || errors.Is(err, errSuperseded) {
		return page, nil // its client asks again with the cursor
	}
	return page, err
}

// timeoutOf reads how many seconds a poll waits, 60 at most. Without a word on
// that it is the setting within 10 %, so that clients do not march in step.
func (s *Server) timeoutOf(query url.Values) (time.Duration, error) {
	text := query.Get("timeout")
	if text == "" && s.config.PollTimeout == 0 {
		return maxTimeout, nil
	}
	if text == "" {
		return time.Duration(float64(s.config.PollTimeout) * (0.9 + 0.2*rand.Float64())), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 {
		return 0, refuse(http.StatusBadRequest, "timeout must be a number of seconds from 0 to 60.")
	}
	return time.Duration(min(seconds, maxTimeout.Seconds()) * float64(time.Second)), nil
}

// writeHeartbeat begins the answer, if it has not begun, and adds a newline.
func writeHeartbeat(w http.ResponseWriter) error {
	if err := writeBody(w, http.StatusOK, []byte("\n")); err != nil {
		return err
	}
	limitWrite(w)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return errors.Join(errAnswered, err)
	}
	return nil
}
