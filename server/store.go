package server

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/disk"
	"pubsub/server/history/memory"
	"pubsub/server/history/redis"
	"pubsub/server/history/tail"
)

// store is the log of messages that the settings ask for, and what there is to do for it
// while the server runs.
type store struct {
	history.Log
	io.Closer
	tail  *tail.Log  // before a log that is slow, else nil
	redis *redis.Log // nil if it is not in one
	bytes func() int // of the messages, nil if nobody counts them

	log *slog.Logger

	awayMu sync.Mutex // guards the next two
	away   error      // why the log is away, nil while it is not
	since  time.Time
}

// memoryWord is the setting for a log that ends with the process.
const memoryWord = "memory"

// openStore opens what the setting names: see [settings.Settings].
func openStore(where string, bounds history.Options, b *bus.Bus, log *slog.Logger) (*store, error) {
	s := &store{log: log}
	var err error
	switch {
	case where == memoryWord:
		m := memory.New(bounds)
		s.Log, s.Closer, s.bytes = m, m, m.Bytes
	case redis.IsAddress(where):
		err = s.openRedis(where, bounds, b)
	default:
		err = s.openDisk(where, bounds)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *store) openDisk(folder string, bounds history.Options) error {
	d, err := disk.Open(folder, bounds)
	if err != nil {
		return err
	}
	s.tail = tail.New(d, tail.Options{Messages: bounds.Messages, Age: bounds.Age})
	s.Log, s.Closer, s.bytes = s.tail, d, d.Bytes
	return nil
}

func (s *store) openRedis(address string, bounds history.Options, b *bus.Bus) error {
	r, err := redis.Open(address, bounds)
	if err != nil {
		return err
	}
	for _, warning := range r.Warnings() {
		s.log.Warn(warning)
	}
	s.tail = tail.New(noticed{r, s.log}, tail.Options{Messages: bounds.Messages, Age: bounds.Age, Shared: true, Ring: func(channel string, id uint64) {
		_ = b.Publish(channel, id) // only a closed bus fails
	}})
	s.Log, s.Closer, s.redis = s.tail, r, r
	return nil
}

// noticed is a Redis whose log lines tell when it was set back.
type noticed struct {
	*redis.Log
	log *slog.Logger
}

// SetBack implements [tail.SetBack].
func (n noticed) SetBack(ctx context.Context, channel, epoch string) error {
	n.log.Warn("the log of messages was set back to an earlier state, so the channel's readers are told that it restarted", "channel", channel)
	return n.Log.SetBack(ctx, channel, epoch)
}

// isShared tells whether other instances have the log, too.
func (s *store) isShared() bool { return s.redis != nil }

// run does until ctx ends what the log needs.
func (s *store) run(ctx context.Context) {
	if s.redis != nil {
		s.redis.Listen(ctx, listener{s.tail, s})
	}
}

// forget forgets what nobody has used for a while.
func (s *store) forget() {
	if s.tail != nil {
		s.tail.Forget()
	}
}

// listener passes on what Redis tells.
type listener struct {
	*tail.Log
	store *store
}

// Away implements [redis.Listener].
func (l listener) Away(reason error) { l.store.setAway(reason) }

func (s *store) setAway(reason error) {
	s.awayMu.Lock()
	defer s.awayMu.Unlock()
	switch {
	case reason != nil && s.away == nil:
		s.since = time.Now()
		s.log.Warn("the log of messages is away: posts are refused, and polls wait on", "error", reason)
	case reason == nil && s.away != nil:
		s.log.Info("the log of messages is back", "after", time.Since(s.since).Round(time.Millisecond))
	}
	s.away = reason
}

// unreadyAfter is how long the log may be away before new requests are not welcome.
const unreadyAfter = 15 * time.Second

// awayLong tells whether the log has been away for long.
func (s *store) awayLong() bool {
	s.awayMu.Lock()
	defer s.awayMu.Unlock()
	return s.away != nil && time.Since(s.since) >= unreadyAfter
}

// isAway tells whether the log is away.
func (s *store) isAway() bool {
	s.awayMu.Lock()
	defer s.awayMu.Unlock()
	return s.away != nil
}
