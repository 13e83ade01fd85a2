package server

import (
	"context"
	"errors"
	"io"
	"time"

	"pubsub/server/history"
)

// apart is a log that keeps the messages of companions in a log of its own. So companions are
// in no list of channels, and take no room from other messages.
type apart struct{ messages, companions history.Log }

var _ history.Log = apart{}

func (a apart) of(channel string) history.Log {
	if history.IsCompanion(channel) {
		return a.companions
	}
	return a.messages
}

// Append implements [history.Log].
func (a apart) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	return a.of(post.Channel).Append(ctx, post)
}

// Read implements [history.Log].
func (a apart) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	return a.of(q.Channel).Read(ctx, q)
}

// Channels implements [history.Log].
func (a apart) Channels(ctx context.Context) ([]string, error) { return a.messages.Channels(ctx) }

// Len implements [history.Log].
func (a apart) Len(ctx context.Context) (int, error) { return a.messages.Len(ctx) }

// companionBounds are the bounds of the log of companions. A client that was away for longer
// asks who is here. In Redis a channel takes 5 KB, so channels are bounded, too: by somewhat
// more than one address can begin.
var companionBounds = history.Options{Messages: 256, Age: 5 * time.Minute, Bytes: 16 << 20, Channels: 30_000}

// both closes two closers.
type both [2]io.Closer

// Close closes both.
func (b both) Close() error { return errors.Join(b[0].Close(), b[1].Close()) }
