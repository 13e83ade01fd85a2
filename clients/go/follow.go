package pubsub

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Way is how a reader asks.
type Way int

const (
	// SSE is one answer that does not end, as browsers' EventSource reads it. It needs
	// nothing but HTTP, costs one request for many messages, and each message has the
	// server's own cursor. So it is the way if none is chosen.
	SSE Way = iota
	// Poll is a request for each page of messages. It passes through every proxy, also
	// one that holds answers back until they end.
	Poll
	// WebSocket is for networks that let it pass and cut long answers. It sends pages.
	WebSocket
)

func (w Way) String() string { return [...]string{"sse", "poll", "ws"}[w] }

// UnmarshalText reads what String returns.
func (w *Way) UnmarshalText(text []byte) error {
	for _, way := range []Way{SSE, Poll, WebSocket} {
		if way.String() == string(text) {
			*w = way
			return nil
		}
	}
	return fmt.Errorf("%q is no way; take sse, poll or ws", text)
}

// MarshalText returns what String returns.
func (w Way) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// From says where a reader begins, and how it asks. The zero value begins with the next
// message.
type From struct {
	// Since is "now", "all", "-N" for the last N messages, or the Cursor of a [Message] or
	// [Gap]; empty is "now". For several channels it is a word for all, or an item for each,
	// with commas between them, in the order of the channels. The cursor of several
	// channels can be taken apart at its commas, and put together anew for others.
	Since string
	// Way is how to ask. A cursor is the same in all ways.
	Way Way
	// Presence, if set, is the name under which the reader is present in its channels for
	// as long as it reads. What others tell of theirs is on the channel NAME:presence.
	Presence string
	// Lost, if set, is told why a connection was lost or refused, and how long the reader
	// waits before it tries again. Nothing is missing then. A stream that the server ends,
	// as it does with each some time, is not lost. If Lost is not set, the first of several
	// failures in a row is told to package log.
	Lost func(err error, wait time.Duration)
	// Dropped, if set, is told of channels that the reader may not, or no longer, read, and
	// the reader goes on with the others. If it is not set, or there are no others, the
	// loop ends with that error.
	Dropped func(refused *Error)
}

// Follow reads channels until ctx ends or the loop over it is left. It goes on by cursor
// after whatever happens to its connections, so that each message comes once, and in order
// within its channel. Where messages are gone for good the error is a [*Gap], and the loop
// goes on. Any other error ends it: the cause of the end of ctx, an [*Error] for what the
// server refuses and would refuse again, or what is wrong with the arguments. The loop has
// no time limit; when it is left, the connection is closed.
func (c *Client) Follow(ctx context.Context, from From, channels ...string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		at, err := c.begin(from, channels)
		if err == nil {
			f := &follower{c: c, from: from, channels: channels, at: at, yield: yield}
			err = f.run(ctx)
		}
		if err != nil && err != errLeft {
			yield(Message{}, err)
		}
	}
}

// begin checks the arguments of Follow.
func (c *Client) begin(from From, channels []string) (position, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(channels) == 0 {
		return nil, errors.New("which channel is to be read? Name at least one")
	}
	for _, channel := range channels {
		if channel == "" || strings.Contains(channel, ",") {
			return nil, fmt.Errorf("%q is no name of a channel", channel)
		}
	}
	if from.Way < SSE || from.Way > WebSocket {
		return nil, fmt.Errorf("there is no way %d", int(from.Way))
	}
	return parsePosition(from.Since, len(channels))
}

// follower reads channels for one loop.
type follower struct {
	c        *Client
	from     From
	channels []string
	at       position
	backoff  backoff
	yield    func(Message, error) bool
}

// stream is one connection, or polls that follow one another.
type stream interface {
	// next waits for what comes next, and moves the position behind it. After an error
	// the position means nothing.
	next(ctx context.Context, at position) (*Page, error)
	// close ends it. It is called once.
	close()
}

// errLeft tells that the caller has left its loop.
var errLeft = errors.New("left")

// run returns when the reader must not, or cannot, go on.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.read(ctx)
		switch {
		case err == errLeft:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case f.drop(err):
			continue
		case isFinal(err):
			return err
		}
		first := f.backoff.failures == 0
		wait := f.backoff.wait(err)
		switch {
		case isPlanned(err):
		case f.from.Lost != nil:
			f.from.Lost(err, wait)
		case first:
			log.Printf("pubsub: the connection is lost, and is made again until it holds: %v", err)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// drop leaves out the channels that a refusal names. It returns false if that is not what
// to do.
func (f *follower) drop(err error) bool {
	refused, is := errors.AsType[*Error](err)
	if !is || f.from.Dropped == nil || refused.Status != http.StatusForbidden {
		return false
	}
	var channels []string
	var at position
	for i, channel := range f.channels {
		if !slices.Contains(refused.Channels, channel) {
			channels, at = append(channels, channel), append(at, f.at[i])
		}
	}
	if len(channels) == 0 || len(channels) == len(f.channels) {
		return false
	}
	f.channels, f.at = channels, at
	f.from.Dropped(refused)
	return true
}

// read opens a stream and reads it to its end.
func (f *follower) read(ctx context.Context) error {
	s, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		at := slices.Clone(f.at) // an answer that cannot be read to its end moves nothing
		page, err := s.next(ctx, at)
		if err != nil {
			return err
		}
		f.at = at
		f.backoff.reset()
		if !f.deliver(page) {
			return errLeft
		}
	}
}

func (f *follower) open(ctx context.Context) (stream, error) {
	switch f.from.Way {
	case Poll:
		return &polls{f.c, f.channels, f.from.Presence}, nil
	case WebSocket:
		return f.c.openSocket(ctx, f.channels, queryOf(f.at, f.from.Presence))
	}
	return f.c.openEvents(ctx, f.channels, queryOf(f.at, f.from.Presence))
}

// queryOf is what a reader asks for.
func queryOf(at position, presence string) url.Values {
	query := url.Values{"since": {at.since()}}
	if presence != "" {
		query.Set("presence", presence)
	}
	return query
}

// deliver returns false if the loop was left.
func (f *follower) deliver(page *Page) bool {
	if page.Gap != nil && !f.yield(Message{}, page.Gap) {
		return false
	}
	for _, message := range page.Messages {
		if !f.yield(message, nil) {
			return false
		}
	}
	return true
}
