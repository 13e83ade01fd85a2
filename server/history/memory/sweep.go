package memory

import "time"

const (
	sweepEvery   = 90 * time.Second
	sweepAtLeast = time.Second // between sweeps on demand
)

// startSweeps sweeps every 90 seconds, because a channel that is not used would keep its old
// messages.
func (l *Log) startSweeps() {
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
}

// sweep drops messages that are too old, and makes channels without messages dormant.
// channelsMu is held.
func (l *Log) sweep() {
	now := time.Now()
	l.sweptAt = now
	for _, c := range l.channels {
		c.mu.Lock()
		if l.expire(c, now); len(c.entries) == 0 {
			l.retire(c, now)
		}
		c.mu.Unlock()
	}
	l.dormant.forgetOld(now)
}

// sweepSoon sweeps if messages can expire and the last sweep is not too recent.
func (l *Log) sweepSoon() {
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	if l.options.Age > 0 && time.Since(l.sweptAt) >= sweepAtLeast {
		l.sweep()
	}
}

// retireEmpty makes a channel dormant if it has no messages.
func (l *Log) retireEmpty(c *channel) {
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.removed && len(c.entries) == 0 {
		l.retire(c, time.Now())
	}
}

// retire makes a channel without messages dormant. channelsMu and the channel's mu are held.
func (l *Log) retire(c *channel, now time.Time) {
	c.removed = true
	delete(l.channels, c.name)
	l.channelsByOwner.Remove(c.holding)
	l.channelsChanged()
	l.dormant.add(c.name, c.position, now)
}

// expire drops a channel's messages that are too many or too old. The channel's mu is held.
func (l *Log) expire(c *channel, now time.Time) {
	l.free(c.cut(c.tooMany(&l.options, now)))
}

// free stops counting the bytes of entries that were dropped.
func (l *Log) free(entries []*entry) {
	if len(entries) == 0 {
		return
	}
	l.messagesMu.Lock()
	defer l.messagesMu.Unlock()
	for _, e := range entries {
		l.messagesByOwner.Remove(e.holding)
	}
}
