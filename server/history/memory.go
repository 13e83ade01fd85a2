package history

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"pubsub/server/shares"
)

// Options bound a [Memory] log. 0 means no limit.
type Options struct {
	Messages int           // kept per channel
	Age      time.Duration // how long a message is kept

	Bytes         int // of all messages, with what it takes to keep them
	BytesPerOwner int

	Channels         int // with messages at a time
	ChannelsPerOwner int

	// Home is a channel that always has its place among them.
	Home string

	// Waited tells whether somebody waits on a channel; none such is taken from
	// its owner to make room. nil: nobody does. It must not use the log.
	Waited func(channel string) bool
}

// Memory is a Log in this process's memory: a restart is a new epoch for
// every channel. What is too old leaves when its channel is used, and in a
// sweep once in 90 seconds. Close it to end the sweeps.
type Memory struct {
	options Options

	channelsMu sync.RWMutex // guards all below; a channel's mu is taken inside of it
	channels   map[string]*channel
	begun      shares.Holdings[Owner, *channel] // by who posted the first message
	past       *past
	names      []string // of the channels, sorted; nil since they have changed
	changes    int
	sweptAt    time.Time
	sweeper    *time.Timer
	closed     bool

	keptMu sync.Mutex // is taken inside of a channel's
	kept   shares.Holdings[Owner, *entry]
}

var _ Log = (*Memory)(nil)

const (
	sweepEvery   = 90 * time.Second
	sweepAtLeast = time.Second // between sweeps for want of room
	entryBytes   = 320         // what an entry takes beyond its JSON
)

// NewMemory returns an empty log.
func NewMemory(options Options) *Memory {
	m := &Memory{options: options, channels: make(map[string]*channel), past: newPast()}
	m.channelsMu.Lock()
	defer m.channelsMu.Unlock()
	m.sweeper = time.AfterFunc(sweepEvery, func() {
		m.channelsMu.Lock()
		defer m.channelsMu.Unlock()
		m.sweep()
		if !m.closed {
			m.sweeper.Reset(sweepEvery)
		}
	})
	return m
}

// Close ends the sweeps; the log can still be used.
func (m *Memory) Close() error {
	m.channelsMu.Lock()
	defer m.channelsMu.Unlock()
	m.closed = true
	m.sweeper.Stop()
	return nil
}

// Append implements [Log].
func (m *Memory) Append(name string, object []byte, by Owner) (Message, Cursor, error) {
	c, err := m.begin(name, by)
	if err != nil {
		return Message{}, Cursor{}, err
	}
	e := c.add(object, time.Now())
	m.keptMu.Lock()
	e.held = m.kept.Add(by, e, entryBytes+len(e.JSON))
	m.keptMu.Unlock()
	m.expire(c, e.at)
	message, cursor := e.Message, Cursor{c.epoch, c.last}
	c.mu.Unlock()
	m.makeRoom(by)
	return message, cursor, nil
}

// begin returns the named channel, locked; it makes it if there is none.
func (m *Memory) begin(name string, by Owner) (*channel, error) {
	for {
		m.channelsMu.RLock()
		c := m.channels[name]
		m.channelsMu.RUnlock()
		if c == nil {
			var err error
			if c, err = m.add(name, by); err != nil {
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
func (m *Memory) add(name string, by Owner) (*channel, error) {
	m.channelsMu.Lock()
	defer m.channelsMu.Unlock()
	if c := m.channels[name]; c != nil {
		return c, nil
	}
	c := &channel{name: strings.Clone(name)}
	if name != m.options.Home {
		if err := m.admit(by); err != nil {
			return nil, err
		}
		c.begun = m.begun.Add(by, c, 1)
	}
	c.state = m.past.take(name)
	m.channels[c.name] = c
	m.changed()
	return c, nil
}

// admit sees to it that there is room for one channel more: where there is none,
// from whoever has most. channelsMu is held.
func (m *Memory) admit(by Owner) error {
	over := func() error {
		switch mine := m.begun.Weights.Of(by); {
		case reached(mine, m.options.ChannelsPerOwner):
			return ErrTooManyOfOwner
		case reached(m.begun.Weights.Total(), m.options.Channels) && !m.takeFrom(mine+1):
			return ErrTooManyChannels
		}
		return nil
	}
	err := over()
	if err != nil && time.Since(m.sweptAt) >= sweepAtLeast {
		m.sweep() // some may be without messages by now
		err = over()
	}
	return err
}

func reached(n, limit int) bool { return limit > 0 && n >= limit }

// takeFrom takes the oldest channel of who has begun most, if those are more than
// so many, and one that nobody waits on is among them. channelsMu is held.
func (m *Memory) takeFrom(moreThan int) bool {
	owner, most := m.begun.Weights.Largest()
	if most <= moreThan {
		return false
	}
	for held := range m.begun.Of(owner) {
		c := held.Thing
		if m.options.Waited != nil && m.options.Waited(c.name) {
			continue
		}
		c.mu.Lock()
		m.free(c.cut(len(c.entries)))
		m.remember(c, time.Now())
		c.mu.Unlock()
		return true
	}
	return false
}

// remember makes a channel without messages one of the past. channelsMu and the
// channel's mu are held.
func (m *Memory) remember(c *channel, now time.Time) {
	c.gone = true
	delete(m.channels, c.name)
	m.begun.Remove(c.begun)
	m.changed()
	m.past.add(c.name, c.state, now)
}

// changed makes a list of channels old. channelsMu is held.
func (m *Memory) changed() {
	m.names = nil
	m.changes++
}

// sweep drops what is too old. channelsMu is held.
func (m *Memory) sweep() {
	now := time.Now()
	m.sweptAt = now
	for _, c := range m.channels {
		c.mu.Lock()
		if m.expire(c, now); len(c.entries) == 0 {
			m.remember(c, now)
		}
		c.mu.Unlock()
	}
	m.past.forgetOld(now)
}

// expire drops what is over the count or too old. The channel's mu is held.
func (m *Memory) expire(c *channel, now time.Time) {
	m.free(c.cut(c.tooMany(&m.options, now)))
}

// free counts entries no more.
func (m *Memory) free(entries []*entry) {
	if len(entries) == 0 {
		return
	}
	m.keptMu.Lock()
	defer m.keptMu.Unlock()
	for _, e := range entries {
		m.kept.Remove(e.held)
	}
}

// makeRoom lets messages leave while there are too many bytes of them in all, or
// of the owner who has just posted.
func (m *Memory) makeRoom(by Owner) {
	for e := m.overweight(by); e != nil; e = m.overweight(by) {
		e.channel.mu.Lock()
		e.JSON = nil
		m.expire(e.channel, time.Now())
		e.channel.mu.Unlock()
	}
}

// overweight returns the message that has to leave next, and counts it no more; nil
// if none has to.
func (m *Memory) overweight(by Owner) *entry {
	m.keptMu.Lock()
	defer m.keptMu.Unlock()
	weights := &m.kept.Weights
	if limit := m.options.BytesPerOwner; limit == 0 || weights.Of(by) <= limit {
		if m.options.Bytes == 0 || weights.Total() <= m.options.Bytes {
			return nil
		}
		by, _ = weights.Largest()
	}
	for oldest := range m.kept.Of(by) {
		m.kept.Remove(oldest)
		return oldest.Thing
	}
	return nil
}

// Read implements [Log].
func (m *Memory) Read(name string, since Since, limit int) (*Page, error) {
	for {
		if page := m.readChannel(name, since, limit); page != nil {
			return page, nil
		}
		if page := m.readPast(name, since, limit); page != nil {
			return page, nil
		}
	}
}

// readPast reads a channel without messages, nil if it has some.
func (m *Memory) readPast(name string, since Since, limit int) *Page {
	m.channelsMu.RLock()
	defer m.channelsMu.RUnlock()
	if m.channels[name] != nil {
		return nil
	}
	c := channel{state: m.past.look(name)}
	return c.page(since, limit, m.past.isEpoch, time.Time{})
}

// readChannel reads a channel with messages, nil if it has none any more.
func (m *Memory) readChannel(name string, since Since, limit int) *Page {
	m.channelsMu.RLock()
	c := m.channels[name]
	m.channelsMu.RUnlock()
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil
	}
	now := time.Now()
	m.expire(c, now)
	return c.page(since, limit, m.past.isEpoch, now)
}

// Channels implements [Log]. The list is made once for all who ask until it
// changes, and sorted without the lock.
func (m *Memory) Channels() []string {
	m.channelsMu.RLock()
	names, changes := m.names, m.changes
	if names == nil {
		names = slices.AppendSeq(make([]string, 0, len(m.channels)), maps.Keys(m.channels))
	}
	known := m.names != nil
	m.channelsMu.RUnlock()
	if known {
		return names
	}
	slices.Sort(names)
	m.channelsMu.Lock()
	defer m.channelsMu.Unlock()
	if m.changes == changes {
		m.names = names
	}
	return names
}

// Len implements [Log].
func (m *Memory) Len() int {
	m.channelsMu.RLock()
	defer m.channelsMu.RUnlock()
	return len(m.channels)
}

// Bytes is what the messages take, as [Options] counts them.
func (m *Memory) Bytes() int {
	m.keptMu.Lock()
	defer m.keptMu.Unlock()
	return m.kept.Weights.Total()
}
