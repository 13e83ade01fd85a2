package pubsub

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Receipt is what the server says of a message that it published.
type Receipt struct {
	ID uint64 // of the message in its channel
	// Cursor is the place after the message. It is empty for a message without a text.
	Cursor string
}

const (
	postLimit = 30 * time.Second               // for one try
	keyLife   = 4*time.Minute + 30*time.Second // the server remembers a key for 5 minutes
)

// ErrUnknown is the error of a post that may have been published or not: it was sent and not
// answered, and to send it once more could double it.
var ErrUnknown = errors.New("nobody knows whether the message was published")

// Publish posts a message, any value that is a JSON object, such as
// map[string]any{"nick": "ann", "message": "hi"}. It makes up a key, and repeats the post
// with it until ctx ends if connections fail or the server is too busy, so that the message
// is published once. The first failure is told to package log. Publish gives up with
// [ErrUnknown] when the server forgets keys. What the server refuses for good is an [*Error].
func (c *Client) Publish(ctx context.Context, channel string, message any) (Receipt, error) {
	if err := c.check(); err != nil {
		return Receipt{}, err
	}
	p, err := c.newPost(channel, message)
	if err != nil {
		return Receipt{}, err
	}
	var b backoff
	for first := true; ; first = false {
		receipt, err := p.send(ctx)
		if err == nil || isFinal(err) {
			return receipt, err
		}
		wait := b.wait(err)
		if !p.sent.IsZero() && time.Since(p.sent)+wait > keyLife {
			return Receipt{}, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		if first && ctx.Err() == nil {
			log.Printf("pubsub: a message is not published yet, and is sent again until it is: %v", err)
		}
		if ended := pause(ctx, wait); ended != nil {
			return Receipt{}, p.given(ended, err)
		}
	}
}

// post is a message on its way.
type post struct {
	c    *Client
	url  string
	body []byte
	key  string
	sent time.Time // when it was first sent without an answer; zero if it was not
}

// newPost makes a key. A message without a text goes where any object may go.
func (c *Client) newPost(channel string, message any) (*post, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	var text struct{ Message any }
	if err := json.Unmarshal(body, &text); err != nil {
		return nil, fmt.Errorf("a message is a JSON object: %w", err)
	}
	path := "/api/publish/"
	if said, _ := text.Message.(string); said != "" {
		path = "/pub/"
	}
	return &post{c: c, url: strings.TrimRight(c.URL, "/") + path + url.PathEscape(channel), body: body, key: rand.Text()}, nil
}

func (p *post) send(ctx context.Context) (Receipt, error) {
	began := time.Now()
	ctx, cancel := within(ctx, postLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return Receipt{}, wrong{err}
	}
	var sent atomic.Bool
	r.GetBody = func() (io.ReadCloser, error) { return &body{bytes.NewReader(p.body), &sent}, nil }
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", p.key)
	var said struct {
		ID        uint64
		Cursor    string
		MessageID uint64 `json:"message_id"`
	}
	err = p.c.ask(r, &said)
	if err == nil && said.ID == 0 && said.MessageID == 0 {
		err = errors.New("something else answers for the server: the receipt has no id")
	}
	if sent.Load() && mayBePublished(err) && p.sent.IsZero() {
		p.sent = began
	}
	return Receipt{ID: max(said.ID, said.MessageID), Cursor: said.Cursor}, causeOf(ctx, err)
}

// body is the body of a post. It is read when there is a connection to write it to.
type body struct {
	*bytes.Reader
	sent *atomic.Bool // set when the body is read
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	b.sent.Store(true)
	return b.Reader.Read(p)
}

// WriteTo implements [io.WriterTo].
func (b *body) WriteTo(w io.Writer) (int64, error) {
	b.sent.Store(true)
	return b.Reader.WriteTo(w)
}

// Close implements [io.Closer].
func (b *body) Close() error { return nil }

// mayBePublished tells whether a post that failed may have reached the server: it was not
// answered, or by a proxy.
func mayBePublished(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return err != nil && !ok || ok && refused.Status >= 500 && refused.Status != http.StatusServiceUnavailable
}

// given is the error of a post that is given up because ctx ended, after a last failure.
func (p *post) given(ended, failure error) error {
	if !errors.Is(failure, ended) {
		ended = fmt.Errorf("%w: %w", ended, failure)
	}
	if p.sent.IsZero() {
		return ended
	}
	return fmt.Errorf("%w: %w", ErrUnknown, ended)
}
