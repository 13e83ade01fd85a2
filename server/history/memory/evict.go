package memory

import (
	"time"

	"pubsub/server/fairshare"
	"pubsub/server/history"
)

// When the log is full, the owner that has most loses channels or messages. So no owner can
// keep others out by filling the log.

// admitChannel makes room for one more channel of an owner, or returns the error that refuses
// it. channelsMu is held.
func (l *Log) admitChannel(by history.Owner) error {
	mine, all := l.channelsByOwner.Weights.Of(by), l.channelsByOwner.Weights.Total()
	if (fairshare.Reached(mine, l.options.ChannelsPerOwner) || fairshare.Reached(all, l.options.Channels)) && time.Since(l.sweptAt) >= sweepAtLeast {
		l.sweep() // removes channels whose messages have expired
		mine, all = l.channelsByOwner.Weights.Of(by), l.channelsByOwner.Weights.Total()
	}
	switch {
	case fairshare.Reached(mine, l.options.ChannelsPerOwner):
		return history.ErrTooManyOfOwner
	case fairshare.Reached(all, l.options.Channels) && !l.displaceChannel(mine+1):
		return history.ErrTooManyChannels
	}
	return nil
}

// displaceChannel removes a channel of the owner that has most: the oldest on which no client
// waits. It returns false if there is none, or if that owner has no more than moreThan
// channels. channelsMu is held.
func (l *Log) displaceChannel(moreThan int) bool {
	owner, most := l.channelsByOwner.Weights.Largest()
	if most <= moreThan {
		return false
	}
	for holding := range l.channelsByOwner.Of(owner) {
		c := holding.Value
		if l.options.Waited != nil && l.options.Waited(c.name) {
			continue
		}
		c.mu.Lock()
		l.free(c.cut(len(c.entries)))
		l.retire(c, time.Now())
		c.mu.Unlock()
		return true
	}
	return false
}

// makeRoom evicts messages while there are too many bytes in all, or of the owner that has
// just posted.
func (l *Log) makeRoom(by history.Owner) {
	if l.tooFull() {
		l.sweepSoon() // expired messages must not push others out
	}
	for e := l.takeExcess(by); e != nil; e = l.takeExcess(by) {
		e.channel.mu.Lock()
		e.JSON = nil
		l.expire(e.channel, time.Now())
		empty := len(e.channel.entries) == 0
		e.channel.mu.Unlock()
		if empty {
			l.retireEmpty(e.channel)
		}
	}
}

func (l *Log) tooFull() bool {
	l.messagesMu.Lock()
	defer l.messagesMu.Unlock()
	return l.options.Bytes > 0 && l.messagesByOwner.Weights.Total() > l.options.Bytes
}

// takeExcess returns the message to evict next, and stops counting its bytes. It returns nil
// if the log is within its bounds.
func (l *Log) takeExcess(by history.Owner) *entry {
	l.messagesMu.Lock()
	defer l.messagesMu.Unlock()
	weights := &l.messagesByOwner.Weights
	if limit := l.options.BytesPerOwner; limit == 0 || weights.Of(by) <= limit {
		if l.options.Bytes == 0 || weights.Total() <= l.options.Bytes {
			return nil
		}
		by, _ = weights.Largest()
	}
	for oldest := range l.messagesByOwner.Of(by) {
		l.messagesByOwner.Remove(oldest)
		return oldest.Value
	}
	return nil
}
