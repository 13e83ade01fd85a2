package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	pollWait = 22 * time.Second // routers cut what is silent for 30 s
	overdue  = 15 * time.Second // that an answer may come after its time
	tooSoon  = time.Second      // for an answer that says nothing
)

// Poll asks once what came in some channels after since, which is as [From] has it, and
// waits for it up to timeout, of which the server grants 60 s. With a timeout of 0 the
// answer comes at once. A page without messages is no error. An error may be an [*Error];
// any other, but for a wrong argument, is a connection that failed, and the same poll can
// be made again. Nothing is tried again here.
func (c *Client) Poll(ctx context.Context, channels []string, since string, timeout time.Duration) (*Page, error) {
	if err := c.check(); err != nil {
		return nil, wrong{err}
	}
	at, err := parsePosition(since, len(channels))
	if err != nil {
		return nil, err
	}
	return c.poll(ctx, channels, at, timeout, "")
}

// poll is Poll for a position, which it moves behind the page.
func (c *Client) poll(ctx context.Context, channels []string, at position, timeout time.Duration, presence string) (*Page, error) {
	ctx, cancel := within(ctx, timeout+overdue)
	defer cancel()
	query := queryOf(at, presence)
	query.Set("timeout", fmt.Sprintf("%.3f", timeout.Seconds()))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.subURL(channels, query), nil)
	if err != nil {
		return nil, wrong{err}
	}
	r.Header.Set("Accept", "application/json")
	said := new(answer)
	if err := c.ask(r, said); err != nil {
		return nil, causeOf(ctx, err)
	}
	return said.page(at, channels)
}

// causeOf tells a silence from other ends of a request.
func causeOf(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilence) {
		return errSilence
	}
	return err
}

// polls is the stream of a reader that polls.
type polls struct {
	c        *Client
	channels []string
	presence string
}

func (p *polls) close() {}

var errTooSoon = errors.New("the server answers at once that there is nothing")

// next polls once. The first poll does not wait, as a reader without a place would lose
// what is said between a cut and its next poll.
func (p *polls) next(ctx context.Context, at position) (*Page, error) {
	timeout := time.Duration(float64(pollWait) * (0.9 + 0.2*rand.Float64()))
	if at.hasWord() {
		timeout = 0
	}
	before, began := at.String(), time.Now()
	page, err := p.c.poll(ctx, p.channels, at, timeout, p.presence)
	if err == nil && timeout > 0 && page.Cursor == before && !page.More && time.Since(began) < tooSoon {
		return nil, errTooSoon // a stopping server; to ask again at once would be a flood
	}
	return page, err
}
