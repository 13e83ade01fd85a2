package server_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
)

// onRedis are settings for instances that share a Redis.
func onRedis(r *pubsubtest.Redis) settings.Settings {
	set := open()
	set.History, set.HistoryAge = r.URL(), time.Hour
	return set
}

type batch struct {
	Messages []struct {
		ID      int
		Message string
	}
	Cursor string
	Gap    *struct {
		Reason string
		Missed int
	}
}

func (b batch) texts() (all []string) {
	for _, m := range b.Messages {
		all = append(all, m.Message)
	}
	return all
}

func (r *running) poll(t require.TestingT, query string) (b batch) {
	require.NoError(t, json.Unmarshal([]byte(r.get(t, "/sub/room?"+query)), &b))
	return b
}

// say posts to the room and returns the status.
func (r *running) say(t require.TestingT, text string) int {
	resp, err := r.http.PostForm(r.url("/pub/room"), url.Values{"message": {text}})
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// eventually says a text until it is taken: Redis is back.
func (r *running) sayUntilTaken(t *testing.T, text string) {
	require.Eventually(t, func() bool { return r.say(t, text) == http.StatusOK }, 20*time.Second, 20*time.Millisecond)
}

func TestInstancesShareALog(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	a, b := start(t, onRedis(redis)), start(t, onRedis(redis))
	cursor := b.poll(t, "since=now&timeout=0").Cursor
	waiting := b.dial(t, "/sub/room?timeout=30&since="+cursor)
	defer waiting.Close()
	b.polling(t, 1)
	require.Equal(t, http.StatusOK, a.say(t, "one"))
	_, body := answer(t, waiting)
	require.Contains(t, body, `"message":"one"`)
	for i := range 20 { // what one has acknowledged, all have at once
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		text := fmt.Sprint("message ", i)
		require.Equal(t, http.StatusOK, from.say(t, text))
		require.Equal(t, []string{text}, to.poll(t, "since=-1&timeout=0").texts())
	}
	require.Equal(t, a.poll(t, "since=all&timeout=0"), b.poll(t, "since=all&timeout=0"))
	require.Contains(t, b.get(t, "/channels"), `"room"`)
	var ids []string
	for _, s := range []*running{a, b, a} {
		req, err := http.NewRequest(http.MethodPost, s.url("/pub/room?message=once"), nil)
		require.NoError(t, err)
		req.Header.Set("Idempotency-Key", "k")
		resp, err := s.http.Do(req)
		require.NoError(t, err)
		var receipt struct{ Cursor string }
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&receipt))
		resp.Body.Close()
		ids = append(ids, receipt.Cursor)
	}
	require.Equal(t, []string{ids[0], ids[0], ids[0]}, ids)
}

// Redis may be killed, frozen or out of memory. Posts are refused then, polls wait on, and
// everything goes on when it is back: nobody restarts anything.
func TestRedisGoesAndComesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options    []string
		away, back func(*pubsubtest.Redis)
	}{
		// everysec puts a write off while a sync runs, which on a busy disk is long enough to lose it.
		"killed": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, (*pubsubtest.Redis).Kill, (*pubsubtest.Redis).Restart},
		"frozen": {nil, (*pubsubtest.Redis).Freeze, (*pubsubtest.Redis).Thaw},
		"out of memory": {nil, func(r *pubsubtest.Redis) { r.Do("config", "set", "maxmemory", "1") }, func(r *pubsubtest.Redis) {
			r.Do("config", "set", "maxmemory", "0")
		}},
		"read only": {nil, func(r *pubsubtest.Redis) { r.Do("replicaof", "127.0.0.1", "1") }, func(r *pubsubtest.Redis) { r.Do("replicaof", "no", "one") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := pubsubtest.StartRedis(t, c.options...)
			a, b := start(t, onRedis(redis)), start(t, onRedis(redis))
			require.Equal(t, http.StatusOK, a.say(t, "before"))
			cursor := b.poll(t, "since=all&timeout=0").Cursor
			waiting := b.dial(t, "/sub/room?timeout=60&since="+cursor)
			defer waiting.Close()
			b.polling(t, 1)

			c.away(redis)
			began := time.Now()
			require.Equal(t, http.StatusServiceUnavailable, a.say(t, "away"))
			require.Less(t, time.Since(began), 5*time.Second)
			short := b.poll(t, "timeout=0.2&since="+cursor)
			require.Empty(t, short.Messages)
			require.Nil(t, short.Gap)
			require.Equal(t, cursor, short.Cursor)
			require.Contains(t, b.get(t, "/healthz"), "healthy")

			c.back(redis)
			a.sayUntilTaken(t, "after")
			_, body := answer(t, waiting)
			require.NotContains(t, body, `"gap"`)
			require.Contains(t, []string{"[after]", "[away after]", "[away]"}, fmt.Sprint(b.poll(t, "timeout=0&since="+cursor).texts()), "what was refused may be there")
		})
	}
}

// A Redis that was set back goes on with other messages under ids that readers know.
func TestRedisIsSetBack(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t, "--save", "3600 1000000")
	a := start(t, onRedis(redis))
	b, log := startLogging(t, onRedis(redis))
	for i := range 4 {
		require.Equal(t, http.StatusOK, a.say(t, fmt.Sprint(i+1)))
	}
	redis.Do("save")
	for i := range 3 {
		require.Equal(t, http.StatusOK, a.say(t, fmt.Sprint(i+5)))
	}
	cursor := b.poll(t, "since=all&timeout=0").Cursor
	redis.Kill()
	redis.Restart()
	for i := range 6 {
		b.sayUntilTaken(t, fmt.Sprint("other ", i+5))
	}
	for _, s := range []*running{b, a} {
		page := s.poll(t, "timeout=0&since="+cursor)
		require.NotNil(t, page.Gap)
		require.Equal(t, "restarted", page.Gap.Reason)
		require.Equal(t, "[1 2 3 4 other 5 other 6 other 7 other 8 other 9 other 10]", fmt.Sprint(page.texts()))
	}
	require.Contains(t, log.String(), "was set back to an earlier state")
}

func TestRedisIsEmptied(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	a := start(t, onRedis(redis))
	for range 3 {
		require.Equal(t, http.StatusOK, a.say(t, "old"))
	}
	cursor := a.poll(t, "since=all&timeout=0").Cursor
	redis.Do("flushall")
	require.Equal(t, http.StatusOK, a.say(t, "new"))
	page := a.poll(t, "timeout=0&since="+cursor)
	require.Equal(t, "restarted", page.Gap.Reason)
	require.Equal(t, []string{"new"}, page.texts())
}

// A bell whose connection breaks is replaced, and what rang meanwhile is not missed.
func TestBellIsReplaced(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	a, b := start(t, onRedis(redis)), start(t, onRedis(redis))
	for i := range 5 {
		cursor := b.poll(t, "since=now&timeout=0").Cursor
		waiting := b.dial(t, "/sub/room?timeout=60&since="+cursor)
		b.polling(t, 1)
		redis.Do("client", "kill", "type", "pubsub")
		require.Equal(t, http.StatusOK, a.say(t, fmt.Sprint("after ", i)))
		_, body := answer(t, waiting)
		require.Contains(t, body, fmt.Sprint("after ", i))
		waiting.Close()
	}
}

var redisPolls = flag.Int("redis.polls", 300, "polls that wait for the same messages in a Redis")

// Reads of Redis for a message do not grow with the polls that wait for it.
func TestReadsOfRedisDoNotGrowWithThePolls(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	set := onRedis(redis)
	set.MaxPolls, set.MaxPollsPerChannel = 0, 0
	a, b := start(t, set), start(t, set)
	require.Equal(t, http.StatusOK, a.say(t, "first"))
	cursor := b.poll(t, "since=all&timeout=0").Cursor
	const messages = 5
	polls := *redisPolls
	calls := func(command string) int {
		said := regexp.MustCompile("cmdstat_" + command + `:calls=(\d+)`).FindStringSubmatch(redis.Do("info", "commandstats"))
		if said == nil {
			return 0
		}
		n, err := strconv.Atoi(said[1])
		require.NoError(t, err)
		return n
	}
	var all sync.WaitGroup
	for range polls {
		all.Go(func() {
			at := cursor
			for got := 0; got < messages; {
				page := b.poll(t, "timeout=30&since="+at)
				got, at = got+len(page.Messages), page.Cursor
			}
		})
	}
	b.polling(t, polls)
	redis.Do("config", "resetstat")
	for i := range messages {
		require.Equal(t, http.StatusOK, a.say(t, fmt.Sprint(i)))
		require.Eventually(t, func() bool {
			return b.metric(t, "pubsub_messages_delivered_total") >= float64(1+polls*(i+1))
		}, patience, time.Millisecond)
		if i < messages-1 {
			b.polling(t, polls)
		}
	}
	all.Wait()
	n := calls("evalsha") - calls("zcount") // by which the metrics count the channels
	t.Logf("%d scripts for %d messages to %d polls", n, messages, polls)
	require.LessOrEqual(t, n, messages*4+4, "an append, two reads at most of either instance, and a beat")
}

func TestMessagesInAFolderOutliveTheProcess(t *testing.T) {
	t.Parallel()
	set := open()
	set.History, set.HistoryAge = filepath.Join(t.TempDir(), "data"), time.Hour
	a := start(t, set)
	require.Equal(t, http.StatusOK, a.say(t, "one"))
	cursor := a.poll(t, "since=all&timeout=0").Cursor
	require.Equal(t, http.StatusOK, a.say(t, "two"))
	require.NoError(t, a.stop())
	b := start(t, set)
	page := b.poll(t, "timeout=0&since="+cursor)
	require.Nil(t, page.Gap)
	require.Equal(t, []string{"two"}, page.texts())
	info, err := os.Stat(set.History)
	require.NoError(t, err)
	require.True(t, info.IsDir())
	require.True(t, strings.HasSuffix(set.History, "data"))
}

// An instance that stops takes posts as long as it answers at all, and sends away who
// waits: there are others, which have the same log.
func TestInstanceLeavesAtOnce(t *testing.T) {
	t.Parallel()
	redis := pubsubtest.StartRedis(t)
	a, b := start(t, onRedis(redis)), start(t, onRedis(redis))
	cursor := b.poll(t, "since=now&timeout=0").Cursor
	waiting := a.dial(t, "/sub/room?timeout=60&since="+cursor)
	defer waiting.Close()
	a.polling(t, 1)
	stopped := make(chan error, 1)
	began := time.Now()
	go func() { stopped <- a.stop() }()
	_, body := answer(t, waiting)
	require.Contains(t, body, cursor, "to go on from, elsewhere")
	taken := 0
	for ; ; taken++ {
		resp, err := a.http.PostForm(a.url("/pub/room"), url.Values{"message": {"hi"}})
		if err != nil {
			break // it has stopped listening
		}
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	require.NoError(t, <-stopped)
	t.Logf("%d posts were taken in the %v of the stop", taken, time.Since(began))
	require.Positive(t, taken)
	last := b.poll(t, "timeout=0&since=-1").Messages[0]
	require.GreaterOrEqual(t, last.ID, taken, "the one that failed may have been stored")
}

// A Redis that is far away makes posts slow, and nothing else: who waits has what others
// posted as soon as it can be there.
func TestSlowRedis(t *testing.T) {
	t.Parallel()
	const delay = 150 * time.Millisecond
	redis := pubsubtest.StartRedis(t)
	near := start(t, onRedis(redis))
	set := onRedis(redis)
	set.History = "redis://" + pubsubtest.SlowProxy(t, redis.Addr, delay)
	far := start(t, set)
	cursor := far.poll(t, "since=all&timeout=0").Cursor
	waiting := far.dial(t, "/sub/room?timeout=30&since="+cursor)
	defer waiting.Close()
	far.polling(t, 1)
	began := time.Now()
	require.Equal(t, http.StatusOK, near.say(t, "near"))
	_, body := answer(t, waiting)
	require.Contains(t, body, `"message":"near"`)
	require.Greater(t, time.Since(began), delay)
	began = time.Now()
	require.Equal(t, http.StatusOK, far.say(t, "far"))
	require.Greater(t, time.Since(began), 2*delay, "there and back")
	require.Equal(t, []string{"far"}, near.poll(t, "since=-1&timeout=0").texts())
	require.Equal(t, []string{"near", "far"}, far.poll(t, "timeout=0&since="+cursor).texts())
}
