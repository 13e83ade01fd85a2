// Package tail caches a slow log, such as one on a disk or in a network. It keeps the newest
// messages of each channel in use in memory, and serves all readers that are up to date from
// there. So a message is fetched once for all of them.
package tail

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/lru"
)

// Bounds of the cache.
const (
	maxWindow   = 256       // messages of a tail
	windowBytes = 256 << 10 // of a tail, unless it has a single message
	allBytes    = 64 << 20  // of all tails
	allTails    = 100_000
	tailBytes   = 512              // of a tail without its messages
	idleFor     = 90 * time.Second // after which Forget drops a tail
	askAfter    = 10 * time.Minute // even if a channel is quiet, because the log behind may forget it
)

// Options of a [Log].
type Options struct {
	Messages int           // kept per channel, like in the log behind; 0 is no bound
	Age      time.Duration // of messages, like in the log behind; 0 is no bound

	// Shared tells that others append to the log behind, too. Then [Log.Heard] must be called
	// for what they append.
	Shared bool

	// Ring is called for each channel that may have messages which no Append of this log has
	// returned. It must not wait. It is called with no lock held.
	Ring func(channel string, id uint64)

	// SetBack gives a channel of the log behind a new epoch, if the channel still has the given
	// one. It is called when the log behind lacks messages that it had. It is nil if the log
	// behind never goes back to an earlier state.
	SetBack func(ctx context.Context, channel, epoch string) error
}

// Log is a [history.Log] that caches another one. It need not be closed. Make it with [New].
type Log struct {
	behind  history.Log
	options Options
	window  int // messages of a tail at most
	gate    *gate

	mu    sync.Mutex // guards tails and bytes, and two fields of each tail; no other lock is taken under it
	tails *lru.Cache[string, *tail]
	bytes int // of all tails
}

var _ history.Log = (*Log)(nil)

// New returns a cache of the log behind.
func New(behind history.Log, options Options) *Log {
	if options.Ring == nil {
		options.Ring = func(string, uint64) {}
	}
	l := &Log{behind: behind, options: options, window: maxWindow, gate: newGate()}
	if options.Messages > 0 {
		l.window = min(options.Messages, maxWindow)
	}
	l.tails = lru.New(allTails, func(_ string, t *tail) { l.bytes -= t.counted })
	return l
}

// Append implements [history.Log].
func (l *Log) Append(ctx context.Context, post history.Post) (history.Receipt, error) {
	receipt, err := l.behind.Append(ctx, post)
	if err == nil && !receipt.Repeat {
		if t := l.known(post.Channel); t != nil {
			t.appended(receipt)
			l.count(t)
		}
		for _, left := range receipt.Left {
			l.Left(left)
		}
	}
	return receipt, err
}

// Channels implements [history.Log].
func (l *Log) Channels(ctx context.Context) ([]string, error) { return l.behind.Channels(ctx) }

// Len implements [history.Log].
func (l *Log) Len(ctx context.Context) (int, error) { return l.behind.Len(ctx) }

// Read implements [history.Log]. If the log behind is away, a reader with a cursor gets what
// is here, or nothing and the same cursor.
func (l *Log) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	if q.Since.Kind == history.SinceTime || q.Since.Kind == history.SinceBefore {
		return l.readBehind(ctx, q)
	}
	t := l.tail(q.Channel)
	ask := l.options.Shared && (q.Fresh || q.Since.Kind != history.SinceCursor)
	page, old := t.page(q, l.options.Age, ask)
	if page == nil && !old {
		err := l.refresh(ctx, t, q.By, ask)
		if id, are := t.unheard(); are {
			l.options.Ring(t.channel, id)
		}
		if errors.Is(err, history.ErrAway) && q.Since.Kind == history.SinceCursor {
			return t.pageWhileAway(q, l.options.Age), nil
		}
		if err != nil {
			return nil, err
		}
		page = t.pageAsked(q, l.options.Age)
	}
	if page == nil {
		return l.readBehind(ctx, q)
	}
	return page, nil
}

// readBehind reads from the log behind when it is the reader's turn.
func (l *Log) readBehind(ctx context.Context, q history.Query) (*history.Page, error) {
	wait, cancel := turn(ctx)
	defer cancel()
	leave, err := l.gate.enter(wait, q.By, nil)
	if err != nil {
		return nil, err
	}
	defer leave()
	return l.behind.Read(ctx, q)
}

// refresh brings a tail up to date when it is the reader's turn, or returns early when
// another reader has done so.
func (l *Log) refresh(ctx context.Context, t *tail, by netip.Addr, ask bool) error {
	wait, cancel := turn(ctx)
	defer cancel()
	before := t.asked()
	for {
		next, served, failed := t.served(before, ask)
		if served {
			return failed
		}
		leave, err := l.gate.enter(wait, by, next)
		if err == nil {
			defer leave()
			break
		}
		if !errors.Is(err, errNoNeed) {
			return err
		}
	}
	defer l.count(t)
	if !ask { // messages up to now are needed, not only those of before
		before = t.asked()
	}
	return t.refresh(context.WithoutCancel(ctx), l, before, ask)
}

// Heard tells that a channel has a message, whoever appended it.
func (l *Log) Heard(channel string, at history.Cursor) {
	if t := l.known(channel); t == nil || t.heard(at) {
		l.options.Ring(channel, at.ID)
	}
}

// Left tells that a message has left its channel to make room. The tail drops that message
// and all before it.
func (l *Log) Left(what history.Left) {
	if t := l.known(what.Channel); t != nil {
		t.left(what.ID)
		l.count(t)
	}
}

// Doubt tells that Heard may have missed something. Every channel in use is fetched again.
func (l *Log) Doubt() {
	l.mu.Lock()
	tails := l.tails.Values()
	l.mu.Unlock()
	for _, t := range tails {
		t.doubt()
		l.options.Ring(t.channel, 0)
	}
}

// Forget drops the tails that were unused for a while.
func (l *Log) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		_, oldest, found := l.tails.GetOldest()
		if !found || time.Since(oldest.usedAt) < idleFor {
			return
		}
		l.tails.RemoveOldest()
	}
}

// Bytes returns how many bytes the tails take.
func (l *Log) Bytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// tail returns the tail of a channel, and makes it if there is none.
func (l *Log) tail(channel string) *tail {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, found := l.tails.Get(channel)
	if !found {
		t = &tail{channel: channel, window: l.window, counted: tailBytes + len(channel)}
		l.tails.Add(channel, t)
		l.bytes += t.counted
	}
	t.usedAt = time.Now()
	return t
}

// known returns the tail of a channel, nil if there is none.
func (l *Log) known(channel string) *tail {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, _ := l.tails.Peek(channel)
	return t
}

// count updates how much memory a tail takes. If all take too much, those used longest ago
// are dropped.
func (l *Log) count(t *tail) {
	bytes := t.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	if current, found := l.tails.Peek(t.channel); !found || current != t {
		return
	}
	l.bytes += bytes - t.counted
	t.counted = bytes
	for l.bytes > allBytes && l.tails.Len() > 1 {
		l.tails.RemoveOldest()
	}
}
