// Package memory is the log of messages in this process's memory.
package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/shares"
)

// Log keeps messages in this process's memory: a restart is a new epoch for
// every channel. What is too old leaves when its channel is used, and in a
// sweep once in 90 seconds. Close it to end the sweeps.
type Log struct {
	options history.Options
	keys    *keys

	channelsMu sync.RWMutex // guards all below; a channel's mu is taken inside of it
	channels   map[string]*channel
	begun      shares.Holdings[history.Owner, *channel] // by who posted the first message
	past       *past
	names      []string // of the channels, sorted; nil since they have changed
	changes    int
	sweptAt    time.Time
	sweeper    *time.Timer
	closed     bool

	keptMu sync.Mutex // is taken inside of a channel's
	kept   shares.Holdings[history.Owner, *entry]
}

var _ history.Log = (*Log)(nil)

const (
	sweepEvery   = 90 * time.Second
	sweepAtLeast = time.Second // between sweeps for want of room
	entryBytes   = 320         // what an entry takes beyond its JSON
)

// New returns an empty log.
func New(options history.Options) *Log {
	l := &Log{options: options, keys: newKeys(), channels: make(map[string]*channel), past: newPast()}
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	l.sweeper = time.AfterFunc(sweepEvery, func() {
		l.channelsMu.Lock()
		defer l.channelsMu.Unlock()
		l.sweep()
		if !l.closed {
			l.sweeper.Reset(sweepEvery)
		}
	})
	return l
}

// Close ends the sweeps; the log can still be used.
func (l *Log) Close() error {
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	l.closed = true
	l.sweeper.Stop()
	return nil
}

// Append implements [history.Log].
func (l *Log) Append(_ context.Context, post history.Post) (history.Receipt, error) {
	if post.Key == "" {
		return l.append(post)
	}
	return l.keys.once(keyOf(post), func() (history.Receipt, error) { return l.append(post) })
}

func (l *Log) append(post history.Post) (history.Receipt, error) {
	c, err := l.begin(post.Channel, post.By)
	if err != nil {
		return history.Receipt{}, err
	}
	e := c.add(post.Object, time.Now())
	l.keptMu.Lock()
	e.held = l.kept.Add(post.By, e, entryBytes+len(e.JSON))
	l.keptMu.Unlock()
	l.expire(c, e.at)
	receipt := history.Receipt{Message: e.Message, Cursor: history.Cursor{Epoch: c.epoch, ID: c.last}}
	c.mu.Unlock()
	l.makeRoom(post.By)
	return receipt, nil
}

// begin returns the named channel, locked; it makes it if there is none.
func (l *Log) begin(name string, by history.Owner) (*channel, error) {
	for {
		l.channelsMu.RLock()
		c := l.channels[name]
		l.channelsMu.RUnlock()
		if c == nil {
			var err error
			if c, err = l.add(name, by); err != nil {
				return nil, err
			}
		}
		c.mu.Lock()
		if !c.gone {
			return c, nil
		}
		c.mu.Unlock()
	}
}

// add makes a channel.
func (l *Log) add(name string, by history.Owner) (*channel, error) {
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	if c := l.channels[name]; c != nil {
		return c, nil
	}
	c := &channel{name: strings.Clone(name)}
	if name != l.options.Home {
		if err := l.admit(by); err != nil {
			return nil, err
		}
		c.begun = l.begun.Add(by, c, 1)
	}
	c.state = l.past.take(name)
	l.channels[c.name] = c
	l.changed()
	return c, nil
}

// admit sees to it that there is room for one channel more: where there is none,
// from whoever has most. channelsMu is held.
func (l *Log) admit(by history.Owner) error {
	over := func() error {
		switch mine := l.begun.Weights.Of(by); {
		case reached(mine, l.options.ChannelsPerOwner):
			return history.ErrTooManyOfOwner
		case reached(l.begun.Weights.Total(), l.options.Channels) && !l.takeFrom(mine+1):
			return history.ErrTooManyChannels
		}
		return nil
	}
	err := over()
	if err != nil && time.Since(l.sweptAt) >= sweepAtLeast {
		l.sweep() // some may be without messages by now
		err = over()
	}
	return err
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

// takeFrom takes the oldest channel of who has begun most, if those are more than
// so many, and one that nobody waits on is among them. channelsMu is held.
func (l *Log) takeFrom(moreThan int) bool {
	owner, most := l.begun.Weights.Largest()
	if most <= moreThan {
		return false
	}
	for held := range l.begun.Of(owner) {
		c := held.Value
		if l.options.Waited != nil && l.options.Waited(c.name) {
			continue
		}
		c.mu.Lock()
		l.free(c.cut(len(c.entries)))
		l.remember(c, time.Now())
		c.mu.Unlock()
		return true
	}
	return false
}

// remember makes a channel without messages one of the past. channelsMu and the
// channel's mu are held.
func (l *Log) remember(c *channel, now time.Time) {
	c.gone = true
	delete(l.channels, c.name)
	l.begun.Remove(c.begun)
	l.changed()
	l.past.add(c.name, c.state, now)
}

// changed makes a list of channels old. channelsMu is held.
func (l *Log) changed() {
	l.names = nil
	l.changes++
}

// sweep drops what is too old. channelsMu is held.
func (l *Log) sweep() {
	now := time.Now()
	l.sweptAt = now
	for _, c := range l.channels {
		c.mu.Lock()
		if l.expire(c, now); len(c.entries) == 0 {
			l.remember(c, now)
		}
		c.mu.Unlock()
	}
	l.past.forgetOld(now)
}

// expire drops what is over the count or too old. The channel's mu is held.
func (l *Log) expire(c *channel, now time.Time) {
	l.free(c.cut(c.tooMany(&l.options, now)))
}

// free counts entries no more.
func (l *Log) free(entries []*entry) {
	if len(entries) == 0 {
		return
	}
	l.keptMu.Lock()
	defer l.keptMu.Unlock()
	for _, e := range entries {
		l.kept.Remove(e.held)
	}
}

// makeRoom lets messages leave while there are too many bytes of them in all, or
// of the owner who has just posted.
func (l *Log) makeRoom(by history.Owner) {
	for e := l.overweight(by); e != nil; e = l.overweight(by) {
		e.channel.mu.Lock()
		e.JSON = nil
		l.expire(e.channel, time.Now())
		e.channel.mu.Unlock()
	}
}

// overweight returns the message that has to leave next, and counts it no more; nil
// if none has to.
func (l *Log) overweight(by history.Owner) *entry {
	l.keptMu.Lock()
	defer l.keptMu.Unlock()
	weights := &l.kept.Weights
	if limit := l.options.BytesPerOwner; limit == 0 || weights.Of(by) <= limit {
		if l.options.Bytes == 0 || weights.Total() <= l.options.Bytes {
			return nil
		}
		by, _ = weights.Largest()
	}
	for oldest := range l.kept.Of(by) {
		l.kept.Remove(oldest)
		return oldest.Value
	}
	return nil
}

// Read implements [history.Log].
func (l *Log) Read(_ context.Context, name string, since history.Since, limit int) (*history.Page, error) {
	for {
		if page := l.readChannel(name, since, limit); page != nil {
			return page, nil
		}
		if page := l.readPast(name, since, limit); page != nil {
			return page, nil
		}
	}
}

// readPast reads a channel without messages, nil if it has some.
func (l *Log) readPast(name string, since history.Since, limit int) *history.Page {
	l.channelsMu.RLock()
	defer l.channelsMu.RUnlock()
	if l.channels[name] != nil {
		return nil
	}
	c := channel{state: l.past.look(name)}
	return c.page(since, limit, l.past.isEpoch, time.Time{})
}

// readChannel reads a channel with messages, nil if it has none any more.
func (l *Log) readChannel(name string, since history.Since, limit int) *history.Page {
	l.channelsMu.RLock()
	c := l.channels[name]
	l.channelsMu.RUnlock()
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil
	}
	now := time.Now()
	l.expire(c, now)
	return c.page(since, limit, l.past.isEpoch, now)
}

// Channels implements [history.Log]. The list is made once for all who ask until
// it changes, and sorted without the lock.
func (l *Log) Channels(context.Context) ([]string, error) {
	l.channelsMu.RLock()
	names, changes := l.names, l.changes
	if names == nil {
		names = slices.AppendSeq(make([]string, 0, len(l.channels)), maps.Keys(l.channels))
	}
	known := l.names != nil
	l.channelsMu.RUnlock()
	if known {
		return names, nil
	}
	slices.Sort(names)
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	if l.changes == changes {
		l.names = names
	}
	return names, nil
}

// Len implements [history.Log].
func (l *Log) Len(context.Context) (int, error) {
	l.channelsMu.RLock()
	defer l.channelsMu.RUnlock()
	return len(l.channels), nil
}

// Bytes is what the messages take, as [history.Options] counts them.
func (l *Log) Bytes() int {
	l.keptMu.Lock()
	defer l.keptMu.Unlock()
	return l.kept.Weights.Total()
}
