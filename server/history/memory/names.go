package memory

import (
	"context"
	"maps"
	"slices"
)

// Channels implements [history.Log]. The list is shared until the channels change. It is
// sorted without the lock, because sorting many names takes long.
func (l *Log) Channels(context.Context) ([]string, error) {
	l.sweepSoon()
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

// channelsChanged makes the next call of Channels list the names anew. channelsMu is held.
func (l *Log) channelsChanged() {
	l.names = nil
	l.changes++
}

// Len implements [history.Log].
func (l *Log) Len(context.Context) (int, error) {
	l.sweepSoon()
	l.channelsMu.RLock()
	defer l.channelsMu.RUnlock()
	return len(l.channels), nil
}
