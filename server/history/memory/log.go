// Package memory is a [history.Log] in this process's memory.
package memory

import (
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/shares"
)

// Log is a [history.Log] in this process's memory. Nothing outlives the process: after
// a restart every channel has a new epoch. Its methods are safe for concurrent use, and
// none returns an error because a context has ended. Make it with [New], and close it.
//
// A message that is too old leaves when its channel is used, and otherwise in a sweep,
// which is every 90 seconds.
type Log struct {
	options history.Options
	keys    *keys

	// channelsMu guards all below. A channel's mu is locked after it, never before.
	channelsMu      sync.RWMutex
	channels        map[string]*channel
	channelsByOwner shares.Holdings[history.Owner, *channel] // owner: who posted first
	dormant         *dormantChannels
	names           []string // of channels, sorted; nil if they have changed since
	changes         int      // of the set of channels
	sweptAt         time.Time
	sweeper         *time.Timer
	closed          bool

	// messagesMu guards what is below. It is locked after a channel's mu, never before.
	messagesMu      sync.Mutex
	messagesByOwner shares.Holdings[history.Owner, *entry] // weight: bytes
}

var _ history.Log = (*Log)(nil)

// New returns an empty log. It starts the timer of the sweeps: close the log to stop it.
func New(options history.Options) *Log {
	l := &Log{
		options:  options,
		keys:     newKeys(),
		channels: make(map[string]*channel),
		dormant:  newDormantChannels(),
	}
	l.startSweeps()
	return l
}

// Close stops the sweeps. The log can still be used. The error is always nil.
func (l *Log) Close() error {
	l.channelsMu.Lock()
	defer l.channelsMu.Unlock()
	l.closed = true
	l.sweeper.Stop()
	return nil
}

// Bytes is what the messages take, counted as [history.Options] bounds it.
func (l *Log) Bytes() int {
	l.messagesMu.Lock()
	defer l.messagesMu.Unlock()
	return l.messagesByOwner.Weights.Total()
}
