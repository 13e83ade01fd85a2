package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"pubsub/internal/torture/check"
)

const (
	repeated  = 0.1  // share of the posts that are sent again with the same key
	glancedAt = 0.05 // share of the posts that a short poll looks for
	postLimit = 10 * time.Second
	giveUp    = 2 * time.Minute // servers remember keys for some minutes only
)

// poster posts one message after the other.
type poster struct {
	t       *torture
	number  int
	sent    int
	client  *http.Client
	rand    *rand.Rand
	backoff backoff
}

func newPoster(t *torture, number int, client *http.Client) *poster {
	chance := t.chance(-1 - number)
	return &poster{t: t, number: number, client: client, rand: chance, backoff: backoff{rand: chance}}
}

// run posts every so often until posting ends. A post that is then still on its way is
// tried until all ends. When the server was slow, it does not catch up: a flood after
// each restart would be another test.
func (p *poster) run(posting, all context.Context, every time.Duration) {
	next := time.Now().Add(time.Duration(p.rand.Int64N(int64(every) + 1)))
	for pause(posting, time.Until(next)) {
		p.post(all)
		if next = next.Add(every); next.Before(time.Now()) {
			next = time.Now()
		}
	}
}

// draft is a post and what is to be done about it.
type draft struct {
	number             int
	channel, key, text string
	at                 int // which URL
	again, glance      bool
}

// post publishes one message. All chances are taken first, so that they do not depend on
// how the server answers.
func (p *poster) post(ctx context.Context) {
	p.sent++
	d := draft{
		channel: p.t.channel(p.rand.IntN(p.t.channels)),
		at:      p.rand.IntN(len(p.t.urls)),
		again:   p.rand.Float64() < repeated && p.t.dialect.keys(),
		glance:  p.rand.Float64() < glancedAt,
		key:     fmt.Sprintf("%s-%d-%d", p.t.name, p.number, p.sent),
	}
	d.text = d.key + " " + filler(p.rand) + "."
	d.number = p.t.record.begin(d.channel, d.text)
	if !p.deliver(ctx, &d) {
		return
	}
	if d.again {
		p.again(ctx, &d)
	}
	if d.glance {
		p.look(ctx, &d)
	}
}

// deliver sends the message until it is acknowledged, each time to another instance. It
// returns false if it gave up.
func (p *poster) deliver(ctx context.Context, d *draft) bool {
	began := time.Now()
	for {
		place, err := p.publish(ctx, d)
		if err == nil {
			p.backoff.reset()
			p.t.record.acknowledge(d.number, place, began)
			return true
		}
		p.t.record.refuse(d.number, err)
		if !p.mayRepeat(err) || time.Since(began) > giveUp || !pause(ctx, p.backoff.wait(err)) {
			p.t.record.fail(d.number)
			return false
		}
		d.at = (d.at + 1) % len(p.t.urls)
		p.t.record.feed(check.Again{Post: d.number})
	}
}

// mayRepeat tells whether a post that failed can be sent again without being published
// twice: with a key, or if the server said that it did not take it.
func (p *poster) mayRepeat(err error) bool {
	_, refused := errors.AsType[*refusal](err)
	return refused || p.t.dialect.keys()
}

func (p *poster) publish(ctx context.Context, d *draft) (check.Place, error) {
	ctx, cancel := context.WithTimeout(ctx, postLimit)
	defer cancel()
	return p.t.dialect.publish(ctx, p.site(d.at), d.channel, d.key, d.text)
}

// again posts the same with the same key, as a client does whose answer was lost.
func (p *poster) again(ctx context.Context, d *draft) {
	p.t.record.feed(check.Again{Post: d.number})
	d.at = (d.at + 1) % len(p.t.urls)
	if place, err := p.publish(ctx, d); err == nil {
		p.t.record.feed(check.Acknowledged{Post: d.number, Place: place})
	}
}

// look asks another instance, if there is one, for a message that was acknowledged.
func (p *poster) look(ctx context.Context, d *draft) {
	ctx, cancel := context.WithTimeout(ctx, postLimit)
	defer cancel()
	a, ok, err := p.t.dialect.glance(ctx, p.site(d.at+1), d.channel)
	if ok && err == nil {
		p.t.record.feed(check.Glanced{Post: d.number, Messages: a.messages, Next: a.next})
	}
}

func (p *poster) site(i int) site { return site{p.t.urls[i%len(p.t.urls)], p.client} }

// fillings are what servers may stumble over.
var fillings = []rune("abcdefgh 0123 <b>&amp;\"'\\/\n\té漢😀")

// filler is a text of up to 300 characters.
func filler(chance *rand.Rand) string {
	text := make([]rune, chance.IntN(300))
	for i := range text {
		text[i] = fillings[chance.IntN(len(fillings))]
	}
	return string(text)
}
