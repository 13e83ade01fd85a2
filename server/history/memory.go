package history

import (
	"cmp"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options bound a [Memory] log. 0 means no limit.
type Options struct {
	Messages int           // kept per channel
	Age      time.Duration // how long a message is kept
	Channels int           // in the log at a time
}

// Memory is a Log in this process's memory: a restart is a new epoch for
// every channel. What is too old leaves when its channel is used, and in a
// sweep once a minute. Close it to end the sweeps.
type Memory struct {
	options Options

	channelsMu sync.RWMutex
	channels   map[string]*channel
	sweeper    *time.Timer
	closed     bool
}

var _ Log = (*Memory)(nil)

// sweepEvery is also longer than any poll waits without looking into the log,
// so a channel that was not used for so long has nobody waiting.
const sweepEvery = 90 * time.Second

// channel is the log of one channel. An evicted one is never used again.
type channel struct {
	name  string
	epoch string

	mu       sync.Mutex // guards all below
	evicted  bool
	messages []Message // oldest first; their ids end in last
	times    []time.Time
	last     uint64    // id of the newest message ever, 0 before the first
	lastTime time.Time // its timestamp
	usedAt   time.Time
}

// NewMemory returns an empty log.
func NewMemory(options Options) *Memory {
	m := &Memory{options: options, channels: make(map[string]*channel)}
	m.channelsMu.Lock()
	defer m.channelsMu.Unlock()
	m.sweeper = time.AfterFunc(sweepEvery, func() {
		m.channelsMu.Lock()
		defer m.channelsMu.Unlock()
		m.forget(max(options.Age, sweepEvery))
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
func (m *Memory) Append(name string, object []byte) (Message, Cursor, error) {
	c, err := m.use(name)
	if err != nil {
		return Message{}, Cursor{}, err
	}
	defer c.mu.Unlock()
	now := c.usedAt
	at := now.UTC().Truncate(time.Microsecond)
	if !at.After(c.lastTime) {
		at = c.lastTime.Add(time.Microsecond)
	}
	c.last, c.lastTime = c.last+1, at
	message := Message{ID: c.last, Time: at, JSON: encode(c.last, at, name, object)}
	c.messages = append(c.messages, message)
	c.times = append(c.times, now)
	c.expire(m.options, now)
	return message, Cursor{c.epoch, c.last}, nil
}

// Read implements [Log].
func (m *Memory) Read(name string, since Since, limit int) (*Page, error) {
	c, err := m.use(name)
	if err != nil {
		return nil, err
	}
	defer c.mu.Unlock()
	c.expire(m.options, c.usedAt)
	after, gap := c.find(since)
	rest := c.messages[after-c.dropped():]
	n := min(len(rest), limit)
	return &Page{
		Messages: slices.Clip(rest[:n]),
		Cursor:   Cursor{c.epoch, after + uint64(n)},
		More:     n < len(rest),
		Gap:      gap,
		Flood:    c.flooded(c.usedAt),
	}, nil
}

// dropped is the id of the newest message that is no longer there.
func (c *channel) dropped() uint64 { return c.last - uint64(len(c.messages)) }

// flooded tells whether the newest messages came at FloodRate or faster.
func (c *channel) flooded(now time.Time) bool {
	const few = 5
	n := len(c.times)
	return n >= few && now.Sub(c.times[n-few]) <= few*time.Second/FloodRate
}

// find returns the id after which since begins, at least dropped, and what
// cannot be had.
func (c *channel) find(since Since) (after uint64, gap *Gap) {
	switch dropped := c.dropped(); since.kind {
	case sinceLast:
		return c.last - min(since.n, uint64(len(c.messages))), nil
	case sinceID:
		if since.n > c.last {
			return dropped, nil
		}
		return max(since.n, dropped), nil
	case sinceTime:
		at := time.UnixMicro(int64(since.n))
		n, _ := slices.BinarySearchFunc(c.messages, at, func(message Message, at time.Time) int {
			return cmp.Or(message.Time.Compare(at), -1) // behind one of the same time
		})
		return dropped + uint64(n), nil
	case sinceCursor:
		switch id := since.n; {
		case since.epoch != c.epoch:
			return dropped, &Gap{Reason: Restarted}
		case id > c.last:
			return dropped, &Gap{Reason: Ahead}
		case id < dropped:
			return dropped, &Gap{Reason: Expired, Missed: dropped - id}
		default:
			return id, nil
		}
	}
	return c.last, nil
}

// expire drops what is over the count or too old at now. The clock that ages
// messages is the monotonic one: stepping the wall clock drops nothing.
func (c *channel) expire(options Options, now time.Time) {
	n := 0
	if options.Messages > 0 {
		n = max(0, len(c.messages)-options.Messages)
	}
	if options.Age > 0 {
		for n < len(c.messages) && now.Sub(c.times[n]) >= options.Age {
			n++
		}
	}
	if n == 0 {
		return
	}
	// Readers hold pages of the old array, so it is left as it is. Append moves
	// to a new one soon, but where much room is left for it.
	c.messages, c.times = c.messages[n:], c.times[n:]
	if cap(c.messages) > 4*len(c.messages) {
		c.messages, c.times = slices.Clone(c.messages), slices.Clone(c.times)
	}
}

// use returns the named channel, locked; it makes it if there is none.
func (m *Memory) use(name string) (*channel, error) {
	for {
		m.channelsMu.RLock()
		c := m.channels[name]
		m.channelsMu.RUnlock()
		if c == nil {
			var err error
			if c, err = m.add(name); err != nil {
				return nil, err
			}
		}
		c.mu.Lock()
		if !c.evicted {
			c.usedAt = time.Now()
			return c, nil
		}
		c.mu.Unlock()
	}
}

// add makes a channel. If the log is full, channels without messages make room:
// first those that nobody waits on, then all. One with messages never does, they
// are acknowledged.
func (m *Memory) add(name string) (*channel, error) {
	m.channelsMu.Lock()
	defer m.channelsMu.Unlock()
	if c := m.channels[name]; c != nil {
		return c, nil
	}
	for _, unused := range [...]time.Duration{sweepEvery, 0} {
		if !m.full() {
			break
		}
		m.forget(unused)
	}
	if m.full() {
		return nil, ErrTooManyChannels
	}
	c := &channel{name: strings.Clone(name), epoch: newEpoch(), usedAt: time.Now()}
	m.channels[c.name] = c
	return c, nil
}

func (m *Memory) full() bool {
	return m.options.Channels > 0 && len(m.channels) >= m.options.Channels
}

// forget drops what is too old, and the channels that then have no message and
// that nobody has used for so long. channelsMu is held.
func (m *Memory) forget(unused time.Duration) {
	now := time.Now()
	for name, c := range m.channels {
		c.mu.Lock()
		c.expire(m.options, now)
		if len(c.messages) == 0 && now.Sub(c.usedAt) >= unused {
			c.evicted = true
			delete(m.channels, name)
		}
		c.mu.Unlock()
	}
}

// newEpoch returns a name that no epoch had before: 12 of a–z 2–7, 60 random bits.
func newEpoch() string { return strings.ToLower(rand.Text()[:12]) }

// Channels implements [Log].
func (m *Memory) Channels() []string {
	m.channelsMu.RLock()
	defer m.channelsMu.RUnlock()
	return slices.Sorted(maps.Keys(m.channels))
}
