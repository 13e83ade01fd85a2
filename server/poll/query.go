package poll

import (
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/settings"
	"pubsub/server/web"
)

const maxPage = 256 // messages in an answer

// Query is what a poll asks for, and how it is answered.
type Query struct {
	places  [1]hub.Place
	limit   int           // messages
	timeout time.Duration // 0 is not to wait
	plain   bool          // waits as the Python original's, and all else has no meaning
	answer  func(w http.ResponseWriter, q *Query, page *hub.Page) error

	goesOn   bool     // from where the client was, which the server remembers
	bookmark bookmark // where that is
	asked    time.Time
}

// Dialect reads from the fields of a request what is not the same for every poll: since
// when, how much, and how it is answered.
type Dialect func(fields web.Fields, q *Query) error

// query reads what a poll asks for on the named channel.
func (p *Polls) query(r *http.Request, name string, dialect Dialect) (*Query, error) {
	fields, err := fieldsOf(r)
	if err != nil {
		return nil, err
	}
	channel, err := history.ParseChannel(name)
	if err != nil {
		return nil, err
	}
	if err := p.access.Authorize(r, access.Subscribe, channel); err != nil {
		return nil, err
	}
	q := &Query{places: [1]hub.Place{{Channel: channel}}, asked: time.Now()}
	if err := dialect(fields, q); err != nil || q.plain {
		return q, err
	}
	if q.goesOn {
		q.bookmark = p.bookmarks.of(r, channel)
		q.places[0].Since = q.bookmark.since()
	}
	q.timeout, err = p.timeoutOf(fields)
	return q, err
}

// fieldsOf reads a poll's query.
func fieldsOf(r *http.Request) (web.Fields, error) {
	// Where net/http watches for hang-ups, it does so only when a request's body was
	// read (golang/go#23262), and a poll waits on that.
	if r.Body != http.NoBody {
		return nil, web.Refuse(http.StatusBadRequest, "A poll has no body. Put what you ask for into the query.")
	}
	return web.FieldsOf(r)
}

// timeoutOf reads how many seconds a poll waits, 60 at most. Without a word on that it
// is the setting within 10 %, so that clients do not march in step.
func (p *Polls) timeoutOf(fields web.Fields) (time.Duration, error) {
	text := fields.First("timeout")
	if text == "" && p.timeout == 0 {
		return settings.MaxTimeout, nil
	}
	if text == "" {
		return time.Duration(float64(p.timeout) * (0.9 + 0.2*rand.Float64())), nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 0 {
		return 0, web.Refuse(http.StatusBadRequest, "timeout must be a number of seconds from 0 to 60.")
	}
	return time.Duration(min(seconds, settings.MaxTimeout.Seconds()) * float64(time.Second)), nil
}
