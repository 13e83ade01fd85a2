// Package memory is a [history.Log] in the memory of the process.
package memory

import (
	"sync"
	"time"

	"pubsub/server/fairshare"
	"pubsub/server/history"
)

// Log is a [history.Log] in the memory of the process. After a restart every channel has a
// new epoch and no messages. Make it with [New], and close it. Its methods are safe for
// concurrent use, and do not look at their contexts.
//
// A message that is too old leaves when its channel is used, or else in a sweep every 90
// seconds.
type Log struct {
	options history.Options
	keys    *keys

	// channelsMu guards the fields below. A channel's mu and then messagesMu may be taken
	// under it. Options.Waited is called with it held.
	channelsMu      sync.RWMutex
	channels        map[string]*channel
	channelsByOwner fairshare.Holdings[history.Owner, *channel] // by the first to post
	dormant         *dormantChannels
	names           []string // of channels, sorted; nil if they have changed
	changes         int      // how often the set of channels has changed
	sweptAt         time.Time
	sweeper         *time.Timer
	closed          bool

	// messagesMu guards messagesByOwner. No other lock is taken under it.
	messagesMu      sync.Mutex
	messagesByOwner fairshare.Holdings[history.Owner, *entry] // weight: bytes
}

var _ history.Log = (*Log)(nil)

// New returns an empty log. Close it to stop its sweeps.
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

// Bytes returns how many bytes the messages take, counted as in [history.Options].
func (l *Log) Bytes() int {
	l.messagesMu.Lock()
	defer l.messagesMu.Unlock()
	return l.messagesByOwner.Weights.Total()
}
