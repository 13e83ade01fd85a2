package server

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/julienschmidt/httprouter"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/settings"
)

const (
	maxPage  = 256       // messages in an answer
	maxBytes = 256 << 10 // of messages in an answer, but for a larger one alone
)

// ask is what a poll asks for, and how it is answered: with messages, or that
// there are none yet.
type ask struct {
	places  [1]hub.Place
	limit   int // messages
	timeout time.Duration
	plain   bool // waits as the Python original's, see sub
	answer  func(w http.ResponseWriter, asked *ask, page *hub.Page) error

	goesOn bool      // from the client's place, see places
	place  place     // where it goes on
	asked  time.Time // when
}

// askReader reads from a query what is not the same for every poll: since when,
// how much, and how it is answered.
type askReader func(query fields, asked *ask) error

// askOf reads what a poll asks for on the named channel.
func (s *Server) askOf(r *http.Request, name string, read askReader) (*ask, error) {
	query, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	channel, err := channelOf(name)
	if err != nil {
		return nil, err
	}
	asked := &ask{places: [1]hub.Place{{Channel: channel}}, asked: time.Now()}
	if err := read(query, asked); err != nil || asked.plain {
		return asked, err
	}
	if asked.goesOn {
		asked.place = s.places.of(r, channel)
		asked.places[0].Since = asked.place.since()
	}
	asked.timeout, err = s.timeoutOf(query)
	return asked, err
}

// queryOf reads a poll's query.
func queryOf(r *http.Request) (fields, error) {
	// Where net/http watches for hang-ups, it does so only when a request's body
	// was read (golang/go#23262), and a poll waits on that.
	if r.Body != http.NoBody {
		return nil, refuse(http.StatusBadRequest, "A poll has no body. Put what you ask for into the query.")
	}
	return fieldsOf(r)
}

// poll returns a handler that waits for what read makes of a request, and answers.
//
// Thousands of requests wait in it at a time, so what they have on their stacks
// counts: there is no call between it and the follower's Next.
func (s *Server) poll(read askReader) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		asked, err := s.askOf(r, params.ByName("channel"), read)
		switch {
		case err != nil:
		case asked.plain:
			err = s.sub(w, r, asked)
		case asked.timeout == 0:
			page, readErr := s.hub.Read(r.Context(), asked.places[:], asked.limit)
			err = s.answerPoll(w, r, asked, page, readErr)
		default:
			ctx, leave, refused := s.limits.admit(r, asked.places[0].Channel)
			if err = refused; err != nil {
				break
			}
			defer leave()
			next, closed := s.hub.Follow(asked.places[:], asked.limit)
			if err = closed; err != nil {
				break
			}
			defer next.Close()
			next.SetTimeout(asked.timeout)
			page, ended := next.Next(ctx)
			err = s.answerPoll(w, r, asked, page, ended)
		}
		if err != nil {
			s.answerError(w, r, err)
		}
	}
}

// answerPoll answers with the page of a poll that ended with err.
func (s *Server) answerPoll(w http.ResponseWriter, r *http.Request, asked *ask, page *hub.Page, err error) error {
	if err != nil && !endedInTime(err) {
		return err
	}
	if page.Gap != nil && page.Gap.Reason == history.Restarted {
		s.slowDown(r)
	}
	page.Cut(maxBytes)
	giveBack, ok := s.limits.holdAnswer(r, page.Size())
	if !ok { // it asks for the rest when it has read this
		page.Cut(smallAnswer)
	}
	defer giveBack()
	s.closing(w.Header())
	closeIfDisplaced(w, r)
	s.metrics.handedOver(page)
	if asked.goesOn {
		asked.place.set(page.Cursors[0])
	}
	return asked.answer(w, asked, page)
}

// closeIfDisplaced closes the connection behind an answer whose poll was displaced
// when it had it already: nothing can wait on it any more.
func closeIfDisplaced(w http.ResponseWriter, r *http.Request) {
	if ctx := r.Context(); ctx.Err() != nil && errors.Is(context.Cause(ctx), errDisplaced) {
		w.Header()["Connection"] = closed
	}
}

// endedInTime tells whether a poll ended without a message in a way that lets
// its client ask again with the same cursor.
func endedInTime(err error) bool {
	return errors.Is(err, hub.ErrTimeout) || errors.Is(err, errDraining)
}

// slowDown holds an answer back that tells of a restart if that was told its address
// often. A client is told once, unless two processes with a log of their own answer
// it in turn: then it would ask without end.
func (s *Server) slowDown(r *http.Request) {
	wait, ok := s.limits.restarts.take(s.limits.Of(r))
	if ok {
		return
	}
	if s.strangers.due() {
		s.log.Warn("readers come again and again with cursors of another process: if several answer for one address, " +
			"they lose each other's messages. Run one process, or one log for all")
	}
	pause(r, time.Duration(wait)*time.Second)
}

// occasion is when something was told last. Its zero value is never.
type occasion struct{ at atomic.Int64 }

// due tells whether a minute has passed since it was true.
func (o *occasion) due() bool {
	now, last := time.Now().Unix(), o.at.Load()
	return now-last >= 60 && o.at.CompareAndSwap(last, now)
}

// timeoutOf reads how many seconds a poll waits, 60 at most. Without a word on
// that it is the setting within 10 %, so that clients do not march in step.
func (s *Server) timeoutOf(query fields) (time.Duration, error) {
	text := query.first("timeout")
	if text == "" && s.config.PollTimeout == 0 {
		return settings.MaxTimeout, nil
	}
	if text == "" {
		return time.Duration(float64(s.config.PollTimeout) * (0.9 + 0.2*rand.Float64())), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 {
		return 0, refuse(http.StatusBadRequest, "timeout must be a number of seconds from 0 to 60.")
	}
	return time.Duration(min(seconds, settings.MaxTimeout.Seconds()) * float64(time.Second)), nil
}

// writeHeartbeat begins the answer, if it has not begun, and adds a newline. A
// proxy should send it on at once.
func writeHeartbeat(w http.ResponseWriter) error {
	w.Header().Set("X-Accel-Buffering", "no")
	if err := writeBody(w, http.StatusOK, []byte("\n")); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return errors.Join(errAnswered, err)
	}
	return nil
}
