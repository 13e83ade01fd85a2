package redis_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/historytest"
	"pubsub/internal/pubsubtest"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/history/redis"
)

// The clock of this Redis is that of the test, also in a bubble of synctest. libfaketime gives it
// the time that is in a file. jemalloc asks for the time before that library is ready, so the
// allocator of the C library goes first.
type clocked struct {
	server    *pubsubtest.Redis
	file      string
	databases int

	// What waits on a socket must not be in a bubble, so it is done elsewhere. These channels
	// are not of the bubble either.
	calls chan func()
	done  chan struct{}
}

func startClocked(t *testing.T) *clocked {
	c := &clocked{file: filepath.Join(t.TempDir(), "clock"), calls: make(chan func()), done: make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for call := range c.calls {
			call()
			c.done <- struct{}{}
		}
	}()
	t.Cleanup(func() { close(c.calls); <-ended })
	c.set(t, time.Now())
	c.server = pubsubtest.StartRedisIn(t, []string{"TZ=UTC", "FAKETIME_TIMESTAMP_FILE=" + c.file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
		"LD_PRELOAD=" + find(t, "faketime/libfaketime.so.1") + " " + find(t, "libc.so.6")})
	return c
}

// find finds a library of Debian.
func find(t *testing.T, name string) string {
	all, err := filepath.Glob("/usr/lib/*-linux-gnu/" + name)
	require.NoError(t, err)
	require.NotEmpty(t, all, "install libfaketime: make deps")
	return all[0]
}

// set sets the clock. The file is replaced, so that nobody reads half of it. What is in it is
// rounded down, also where floating point is a bit too low.
func (c *clocked) set(t testing.TB, now time.Time) {
	text := now.UTC().Truncate(time.Microsecond).Add(time.Microsecond / 2).Format("2006-01-02 15:04:05.000000000")
	require.NoError(t, os.WriteFile(c.file+"~", []byte(text), 0o600))
	require.NoError(t, os.Rename(c.file+"~", c.file))
}

// outside calls f where sockets may be waited on.
func (c *clocked) outside(f func()) { c.calls <- f; <-c.done }

func (c *clocked) open(t testing.TB, options history.Options) history.Log {
	l := &clockedLog{clocked: c, t: t, beat: time.Now()}
	database := 1 + c.databases%499
	c.databases++
	c.set(t, l.beat)
	c.outside(func() {
		log, err := redis.Open(fmt.Sprintf("%s/%d", c.server.URL(), database), options)
		require.NoError(t, err)
		l.log = log
	})
	t.Cleanup(func() { c.outside(func() { require.NoError(t, l.log.Close()) }) })
	return l
}

// clockedLog is a log in such a Redis, for one goroutine.
type clockedLog struct {
	*clocked
	t    testing.TB
	log  *redis.Log
	beat time.Time // the last one
}

// beatEvery is often enough for what beats do beside ringing.
const beatEvery = 6 * time.Hour

// call calls f when Redis has the time that it is here, and the beats that came until then.
func (l *clockedLog) call(f func()) {
	now := time.Now()
	for ; now.Sub(l.beat) >= beatEvery; l.beat = l.beat.Add(beatEvery) {
		l.set(l.t, l.beat.Add(beatEvery))
		l.outside(func() { require.NoError(l.t, l.log.Beat(context.Background())) })
	}
	l.set(l.t, now)
	l.outside(f)
}

func (l *clockedLog) Append(_ context.Context, post history.Post) (receipt history.Receipt, err error) {
	l.call(func() { receipt, err = l.log.Append(context.Background(), post) })
	return receipt, err
}

func (l *clockedLog) Read(_ context.Context, q history.Query) (page *history.Page, err error) {
	l.call(func() { page, err = l.log.Read(context.Background(), q) })
	return page, err
}

func (l *clockedLog) Channels(context.Context) (names []string, err error) {
	l.call(func() { names, err = l.log.Channels(context.Background()) })
	return names, err
}

func (l *clockedLog) Len(context.Context) (n int, err error) {
	l.call(func() { n, err = l.log.Len(context.Background()) })
	return n, err
}

func TestClock(t *testing.T) { historytest.Clock(t, startClocked(t).open) }

func TestAgainstMemory(t *testing.T) {
	model := func(t testing.TB, options history.Options) history.Log {
		log := memory.New(options)
		t.Cleanup(func() { require.NoError(t, log.Close()) })
		return log
	}
	historytest.Against(t, startClocked(t).open, model)
}
