package torture

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"time"

	"pubsub/internal/torture/check"
)

const (
	wanders  = 0.05             // share of the polls that go to another instance than the last
	short    = 0.1              // share of the polls that do not wait
	maxWait  = 10 * time.Second // of those that wait
	firstCut = time.Millisecond
	lastCut  = time.Second
	overdue  = 10 * time.Second // that an answer may come after its time
)

var errCut = errors.New("cut by the test")

// reader reads one channel over one connection at a time.
type reader struct {
	t       *torture
	number  int
	channel string
	at      int // which URL
	cursor  string
	begun   bool // it has had an answer
	client  *http.Client
	rand    *rand.Rand
	backoff backoff
}

func newReader(t *torture, number int) *reader {
	chance := t.chance(number)
	return &reader{
		t:       t,
		number:  number,
		channel: t.channel(number % t.channels),
		at:      number / t.channels % len(t.urls),
		client:  t.client(&http.Transport{MaxConnsPerHost: 1}),
		rand:    chance,
		backoff: backoff{rand: chance},
	}
}

// run polls until ctx ends. It goes on after whatever happens, with the cursor of the
// last answer that it has read to its end.
func (r *reader) run(ctx context.Context) {
	defer r.client.CloseIdleConnections()
	for ctx.Err() == nil {
		err := r.read(ctx)
		switch {
		case err == nil, ctx.Err() != nil, errors.Is(err, errMoved):
		case errors.Is(err, errCut):
			r.t.record.cut()
		default:
			r.t.record.missAnswer(err)
			pause(ctx, r.backoff.wait(err))
		}
	}
}

// read reads one answer, or one stream. The first place is that of an answer.
func (r *reader) read(ctx context.Context) error {
	if r.begun && len(r.t.ways) > 0 {
		return r.follow(ctx)
	}
	a, err := r.ask(ctx)
	if err == nil {
		r.take(a)
	}
	return err
}

// ask polls once. A poll that is to be cut is cut at a random moment, perhaps when it was
// answered already.
func (r *reader) ask(ctx context.Context) (answer, error) {
	if cuts := r.t.dialect.cuts(); cuts && r.rand.Float64() < wanders {
		r.at = r.rand.IntN(len(r.t.urls))
	} else if !cuts {
		return r.poll(ctx, 0)
	}
	wait := time.Duration(0)
	if r.rand.Float64() >= short {
		wait = time.Duration(r.rand.Int64N(int64(maxWait)))
	}
	limit, cause := wait+overdue, context.DeadlineExceeded
	if r.rand.Float64() < r.t.cut {
		limit, cause = r.moment(), errCut
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, cause)
	defer cancel()
	a, err := r.poll(ctx, wait)
	if err != nil && context.Cause(ctx) == errCut {
		err = errCut
	}
	return a, err
}

// moment is when to cut a poll. Each doubling of it is as likely as any other, so that
// also quick answers are cut, in the midst of them.
func (r *reader) moment() time.Duration {
	doublings := math.Log2(float64(lastCut / firstCut))
	return time.Duration(float64(firstCut) * math.Exp2(r.rand.Float64()*doublings))
}

func (r *reader) poll(ctx context.Context, wait time.Duration) (answer, error) {
	return r.t.dialect.poll(ctx, site{r.t.urls[r.at], r.client}, r.channel, r.cursor, wait)
}

func (r *reader) take(a answer) {
	r.backoff.reset()
	r.t.record.feed(check.Answered{
		Reader: r.number, Channel: r.channel, Fresh: !r.begun,
		Messages: a.messages, Next: a.next, Gap: a.gap,
	})
	r.cursor = a.cursor
	if !r.begun {
		r.begun = true
		r.t.ready <- struct{}{}
	}
}
