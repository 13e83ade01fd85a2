package memory

import (
	"context"
	"time"

	"pubsub/server/history"
)

// Read implements [history.Log].
func (l *Log) Read(_ context.Context, q history.Query) (*history.Page, error) {
	for { // a channel may become dormant or wake up between the two
		if page := l.readChannel(q); page != nil {
			return page, nil
		}
		if page := l.readDormant(q); page != nil {
			return page, nil
		}
	}
}

// readChannel reads a channel with messages. It returns nil if there are none.
func (l *Log) readChannel(q history.Query) *history.Page {
	l.channelsMu.RLock()
	c := l.channels[q.Channel]
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
	return c.page(q.Since, q.Limit, l.dormant.epochs.has, now)
}

// readDormant reads a channel without messages. It returns nil if there are some.
func (l *Log) readDormant(q history.Query) *history.Page {
	l.channelsMu.RLock()
	if l.channels[q.Channel] != nil {
		l.channelsMu.RUnlock()
		return nil
	}
	c := channel{position: l.dormant.look(q.Channel)}
	page := c.page(q.Since, q.Limit, l.dormant.epochs.has, time.Time{})
	now := time.Now()
	touch := q.Since.Kind == history.SinceCursor && q.Since.Epoch == c.epoch && l.dormant.untouched(q.Channel, now)
	l.channelsMu.RUnlock()
	if touch {
		l.channelsMu.Lock()
		defer l.channelsMu.Unlock()
		l.dormant.touch(q.Channel, now)
	}
	return page
}
