package memory

import (
	"context"
	"time"

	"pubsub/server/history"
)

// Read implements [history.Log].
func (l *Log) Read(_ context.Context, name string, since history.Since, limit int) (*history.Page, error) {
	for { // a channel may become dormant, or wake up, between the two
		if page := l.readChannel(name, since, limit); page != nil {
			return page, nil
		}
		if page := l.readDormant(name, since, limit); page != nil {
			return page, nil
		}
	}
}

// readChannel reads a channel that has messages. It returns nil if it has none.
func (l *Log) readChannel(name string, since history.Since, limit int) *history.Page {
	l.channelsMu.RLock()
	c := l.channels[name]
	l.channelsMu.RUnlock()
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed {
		return nil
	}
	now := time.Now()
	l.expire(c, now)
	return c.page(since, limit, l.dormant.epochs.has, now)
}

// readDormant reads a channel that has no messages. It returns nil if it has some.
func (l *Log) readDormant(name string, since history.Since, limit int) *history.Page {
	l.channelsMu.RLock()
	defer l.channelsMu.RUnlock()
	if l.channels[name] != nil {
		return nil
	}
	c := channel{position: l.dormant.look(name)}
	return c.page(since, limit, l.dormant.epochs.has, time.Time{})
}
