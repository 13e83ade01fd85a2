package poll

import (
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"pubsub/server/access"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/settings"
	"pubsub/server/web"
)

const maxPage = 256 // messages in an answer at most

// Query is what a poll asks for, and how to answer it.
type Query struct {
	places  []hub.Place
	limit   int           // messages at most
	timeout time.Duration // 0: answer at once
	plain   bool          // a plain /sub, which has no limit, timeout or answer
	answer  func(w http.ResponseWriter, q *Query, page *hub.Page) error

	channels []string     // the names in places
	one      [1]hub.Place // backs places of a single channel, to save an allocation
	grant    access.Grant // says until when the client may wait
	name     string       // the client is present under this name; "" if it is not
	several  bool         // the dialect has polls on several channels
	form     *form        // of polls that may wait in a crowd, nil if this one may not

	resume  bool      // begin where the server remembers that the client was
	readers []*reader // one for each place if resume is set, otherwise nil
	had     bool      // readers were freed with an answer
	asked   time.Time // when the request came
}

// Dialect parses the fields of a request that differ between dialects. It sets in q where the
// poll begins, how many messages it gets, and the form of its answer. An error refuses the
// request.
type Dialect func(fields web.Fields, q *Query) error

var errOneChannel = web.Refuse(http.StatusBadRequest, "Only /sub can be asked for several channels at once. Ask for one at a time here.")

// query parses and authorizes a poll on the named channels.
func (p *Polls) query(r *http.Request, names string, dialect Dialect) (*Query, error) {
	fields, err := fieldsOf(r)
	if err != nil {
		return nil, err
	}
	channels, err := history.ParseChannels(names)
	if err != nil {
		return nil, err
	}
	grant, err := p.access.Authorize(r, access.Subscribe, channels...)
	if err != nil {
		return nil, err
	}
	q := newQuery(channels)
	by := p.access.Source.Of(r)
	for i := range q.places {
		q.places[i].By = by
	}
	q.grant = grant
	err = dialect(fields, q)
	if err == nil && len(channels) > 1 && !q.several {
		err = errOneChannel
	}
	if err != nil || q.plain {
		return q, err
	}
	q.timeout, err = p.timeoutOf(fields)
	q.timeout = grant.Left(q.timeout)
	return q, err
}

// by returns the address of the client.
func (q *Query) by() netip.Addr { return q.places[0].By }

func newQuery(channels []string) *Query {
	q := &Query{channels: channels, asked: time.Now()}
	q.places = q.one[:0]
	for _, channel := range channels {
		q.places = append(q.places, hub.Place{Channel: channel})
	}
	return q
}

// fieldsOf parses the fields of a poll's query. It refuses a poll with a body.
func fieldsOf(r *http.Request) (web.Fields, error) {
	// net/http notices a hang-up only after the body was read (golang/go#23262), and
	// nobody reads a poll's.
	if r.ContentLength != 0 {
		return nil, web.Refuse(http.StatusBadRequest, "A poll has no body. Put what you ask for into the query.")
	}
	return web.FieldsOf(r)
}

// timeoutOf parses the field timeout: seconds, at most 60. Without that field it returns the
// setting, varied by a tenth, so that clients that began together spread out.
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
