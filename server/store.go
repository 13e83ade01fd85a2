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
	"pubsub/server/presence"
	"pubsub/server/roster"
	"pubsub/server/settings"
)

// store is the log of messages of the settings, with what it needs while the server runs.
type store struct {
	history.Log
	io.Closer

	messages   *tail.Log // the cache of a slow log; nil for a log in memory
	companions *tail.Log // the same for companions; nil if they are in memory

	redis *redis.Log // nil if the log is not in a Redis
	bytes func() int // of the messages; nil if they are not counted

	logger *slog.Logger

	awayMu sync.Mutex // guards away and since; held over log lines, and no other lock is taken under it
	away   error      // why the log is away; nil if it is not
	since  time.Time
}

// memoryWord is the setting of a log that ends with the process.
const memoryWord = "memory"

// openStore opens the log that the settings name.
func openStore(set *settings.Settings, bounds history.Options, b *bus.Bus, logger *slog.Logger) (*store, error) {
	s := &store{logger: logger}
	var err error
	switch where := set.History; {
	case where == memoryWord:
		m := memory.New(bounds)
		s.keepIn(m, m, m.Bytes)
	case redis.IsAddress(where):
		err = s.openRedis(set, bounds, b)
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
	s.messages = tail.New(d, tail.Options{Messages: bounds.Messages, Age: bounds.Age})
	s.keepIn(s.messages, d, d.Bytes)
	return nil
}

// keepIn sets the log of messages. The log of companions is in memory, because who is here
// ends with the process, too.
func (s *store) keepIn(log history.Log, closer io.Closer, bytes func() int) {
	companions := memory.New(companionBounds)
	s.Log, s.Closer, s.bytes = apart{log, companions}, both{closer, companions}, bytes
}

func (s *store) openRedis(set *settings.Settings, bounds history.Options, b *bus.Bus) error {
	r, err := redis.OpenAs(set.RedisPrefix, set.History, bounds)
	if err != nil {
		return err
	}
	for _, warning := range r.Warnings() {
		s.logger.Warn(warning)
	}
	s.messages, s.companions = s.shared(r, bounds, b), s.shared(r.Companions(companionBounds), companionBounds, b)
	s.Log, s.Closer, s.redis = apart{s.messages, s.companions}, r, r
	return nil
}

// shared caches a log to which other instances append, too.
func (s *store) shared(l *redis.Log, bounds history.Options, b *bus.Bus) *tail.Log {
	return tail.New(l, tail.Options{
		Messages: bounds.Messages, Age: bounds.Age, Shared: true,
		Ring: func(channel string, id uint64) {
			_ = b.Publish(channel, id) // fails only if the bus is closed
		},
		SetBack: func(ctx context.Context, channel, epoch string) error {
			s.logger.Warn("the log of messages was set back to an earlier state, so the channel's readers are told that it restarted", "channel", channel)
			return l.SetBack(ctx, channel, epoch)
		},
	})
}

// roster returns the roster of this process, or that of all instances with the log.
func (s *store) roster() roster.Roster {
	if s.redis != nil {
		return s.redis.Roster(presence.Lease)
	}
	return roster.NewMemory()
}

// isShared tells whether other instances use the log, too.
func (s *store) isShared() bool { return s.redis != nil }

// run listens to Redis until ctx ends, if the log is there.
func (s *store) run(ctx context.Context) {
	if s.redis != nil {
		s.redis.Listen(ctx, listener{s})
	}
}

// forget frees caches that were unused for a while.
func (s *store) forget() {
	for _, cache := range s.caches() {
		cache.Forget()
	}
}

func (s *store) caches() (all []*tail.Log) {
	for _, cache := range []*tail.Log{s.messages, s.companions} {
		if cache != nil {
			all = append(all, cache)
		}
	}
	return all
}

// listener passes on what Redis tells.
type listener struct{ store *store }

// Heard implements [redis.Listener].
func (l listener) Heard(channel string, at history.Cursor) { l.tailOf(channel).Heard(channel, at) }

// Left implements [redis.Listener].
func (l listener) Left(what history.Left) { l.tailOf(what.Channel).Left(what) }

func (l listener) tailOf(channel string) *tail.Log {
	if history.IsCompanion(channel) {
		return l.store.companions
	}
	return l.store.messages
}

// Doubt implements [redis.Listener].
func (l listener) Doubt() {
	for _, cache := range l.store.caches() {
		cache.Doubt()
	}
}

// Away implements [redis.Listener].
func (l listener) Away(reason error) { l.store.setAway(reason) }

func (s *store) setAway(reason error) {
	s.awayMu.Lock()
	defer s.awayMu.Unlock()
	switch {
	case reason != nil && s.away == nil:
		s.since = time.Now()
		s.logger.Warn("the log of messages is away: posts are refused, and polls wait on", "error", reason)
	case reason == nil && s.away != nil:
		s.logger.Info("the log of messages is back", "after", time.Since(s.since).Round(time.Millisecond))
	}
	s.away = reason
}

// unreadyAfter is how long the log may be away before /readyz asks for no new requests.
const unreadyAfter = 15 * time.Second

// awayLong tells whether the log has been away for unreadyAfter.
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
