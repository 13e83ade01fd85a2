package memory

import (
	"context"
	"strings"
	"time"

	"pubsub/server/history"
)

// Append implements [history.Log].
func (l *Log) Append(_ context.Context, post history.Post) (history.Receipt, error) {
	if post.Key == "" {
		return l.append(post)
	}
	return l.keys.once(post.KeyHash(), func() (history.Receipt, error) { return l.append(post) })
}

func (l *Log) append(post history.Post) (history.Receipt, error) {
	c, err := l.lockChannel(post.Channel, post.By)
	if err != nil {
		return history.Receipt{}, err
	}
	e := c.add(post.Object, time.Now())
	l.messagesMu.Lock()
	e.holding = l.messagesByOwner.Add(post.By, e, post.Weight())
	l.messagesMu.Unlock()
	l.expire(c, e.at)
	receipt := history.Receipt{Message: e.Message, Cursor: c.cursorAt(c.last)}
	c.mu.Unlock()
	l.makeRoom(post.By)
	return receipt, nil
}

// lockChannel returns the named channel with its mu locked. It adds the channel if it has no
// messages.
func (l *Log) lockChannel(name string, by history.Owner) (*channel, error) {
	for {
		l.channelsMu.RLock()
		c := l.channels[name]
		l.channelsMu.RUnlock()
		isNew := c == nil
		if isNew {
			var err error
			if c, err = l.addChannel(name, by); err != nil {
				return nil, err
			}
		}
		c.mu.Lock()
		l.expire(c, time.Now())
		if !c.removed && (isNew || len(c.entries) > 0) {
			return c, nil
		}
		c.mu.Unlock()
		// An empty channel goes through dormant, which decides its next id. If it was removed
		// meanwhile, retireEmpty does nothing.
		l.retireEmpty(c)
	}
}

// addChannel returns the named channel, and adds it if there is none.
func (l *Log) addChannel(name string, by history.Owner) (*channel, error) {
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	if c := l.channels[name]; c != nil { // another post has just added it
		return c, nil
	}
	c := &channel{name: strings.Clone(name)}
	if name != l.options.Home {
		if err := l.admitChannel(by); err != nil {
			return nil, err
		}
		c.holding = l.channelsByOwner.Add(by, c, 1)
	}
	c.position = l.dormant.take(name)
	l.channels[c.name] = c
	l.channelsChanged()
	return c, nil
}
