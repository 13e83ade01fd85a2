package memory_test

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/historytest"
	"pubsub/server/history"
	"pubsub/server/history/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) { historytest.Contract(t, open) }

func TestOwners(t *testing.T) { historytest.Owners(t, open) }

func TestClock(t *testing.T) { historytest.Clock(t, open) }

func open(t testing.TB, options history.Options) history.Log {
	log := memory.New(options)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

// A channel that was busy gives its memory back, also when hardly anything is
// said on it from then on.
func TestMemoryOfWhatExpiredIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New(history.Options{Messages: 1000, Age: 5 * time.Minute})
		defer m.Close()
		object := []byte(`{"message":"` + strings.Repeat("x", 16_000) + `"}`)
		before := inUse()
		for range 600 {
			_, err := m.Append(t.Context(), history.Post{Channel: "chat", Object: object})
			require.NoError(t, err)
		}
		require.Greater(t, inUse()-before, int64(9_000_000))
		for range 3 {
			time.Sleep(4 * time.Minute)
			_, err := m.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{"message":"hi"}`)})
			require.NoError(t, err)
		}
		require.Less(t, inUse()-before, int64(100_000))
	})
}

func inUse() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// What does not fit any more is forgotten before its time. Such a channel goes on
// above what it was, so that who keeps bare ids misses nothing, and who waited for
// its first message is told that there may have been others.
func TestForgottenBeforeItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New(history.Options{Age: time.Minute})
		defer m.Close()
		say := func(channel string) history.Cursor {
			receipt, err := m.Append(t.Context(), history.Post{Channel: channel, Object: []byte(`{}`)})
			require.NoError(t, err)
			return receipt.Cursor
		}
		readOf := func(channel string, since history.Since) *history.Page {
			page, err := m.Read(t.Context(), history.Query{Channel: channel, Since: since, Limit: 9})
			require.NoError(t, err)
			return page
		}
		read := func(since history.Since) *history.Page { return readOf("chat", since) }
		before := read(history.Now()).Cursor
		for range 3 {
			say("chat")
		}
		time.Sleep(10 * time.Minute)
		long := strings.Repeat("n", 120)
		for i := range 190_000 { // 64 MiB of names and ids
			say(long + strconv.Itoa(i))
		}
		time.Sleep(10 * time.Minute)
		n, err := m.Len(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)

		unknown := read(history.Now()).Cursor
		require.Equal(t, uint64(3), unknown.ID, "it may be any that was forgotten")
		require.Equal(t, uint64(4), say("chat").ID)
		require.Len(t, read(history.AfterID(3)).Messages, 1)
		require.Nil(t, read(history.After(unknown)).Gap)
		require.Equal(t, &history.Gap{Reason: history.Restarted}, read(history.After(before)).Gap)
		require.Equal(t, &history.Gap{Reason: history.Restarted}, readOf("quiet", history.After(before)).Gap)
	})
}

// Keys are bounded in bytes, and those in use stay.
func TestKeysAreBounded(t *testing.T) {
	log := memory.New(history.Options{Messages: 1})
	defer log.Close()
	repeat := func(key string) bool {
		receipt, err := log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`), Key: key})
		require.NoError(t, err)
		return receipt.Repeat
	}
	before := inUse()
	repeat("used")
	for i := range 100_000 {
		repeat(strconv.Itoa(i))
		if i%10_000 == 0 {
			require.True(t, repeat("used"))
		}
	}
	require.Less(t, inUse()-before, int64(20<<20))
	require.True(t, repeat("used"))
	require.False(t, repeat("0"), "the one used longest ago leaves first")
}
