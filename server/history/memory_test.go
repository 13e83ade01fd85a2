package history_test

import (
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/history"
	"pubsub/server/history/historytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	historytest.Run(t, func(t testing.TB, options history.Options) history.Log {
		m := history.NewMemory(options)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m
	})
}

// A channel that was busy gives its memory back, also when hardly anything is
// said on it from then on.
func TestMemoryOfWhatExpiredIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := history.NewMemory(history.Options{Messages: 1000, Age: 5 * time.Minute})
		defer m.Close()
		object := []byte(`{"message":"` + strings.Repeat("x", 16_000) + `"}`)
		before := inUse()
		for range 600 {
			_, _, err := m.Append("chat", object, history.Owner{})
			require.NoError(t, err)
		}
		require.Greater(t, inUse()-before, int64(9_000_000))
		for range 3 {
			time.Sleep(4 * time.Minute)
			_, _, err := m.Append("chat", []byte(`{"message":"hi"}`), history.Owner{})
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
		m := history.NewMemory(history.Options{Age: time.Minute})
		defer m.Close()
		say := func(channel string) history.Cursor {
			_, cursor, err := m.Append(channel, []byte(`{}`), history.Owner{})
			require.NoError(t, err)
			return cursor
		}
		readOf := func(channel string, since history.Since) *history.Page {
			page, err := m.Read(channel, since, 9)
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
		require.Empty(t, m.Channels())

		unknown := read(history.Now()).Cursor
		require.Equal(t, uint64(3), unknown.ID, "it may be any that was forgotten")
		require.Equal(t, uint64(4), say("chat").ID)
		require.Len(t, read(history.AfterID(3)).Messages, 1)
		require.Nil(t, read(history.After(unknown)).Gap)
		require.Equal(t, &history.Gap{Reason: history.Restarted}, read(history.After(before)).Gap)
		require.Equal(t, &history.Gap{Reason: history.Restarted}, readOf("quiet", history.After(before)).Gap)
	})
}

func TestAppendTimestamp(t *testing.T) {
	for want, at := range map[string]time.Time{
		"1763682109.123456": time.UnixMicro(1763682109_123456),
		"1763682109.000001": time.UnixMicro(1763682109_000001),
		"1763682109.000000": time.Unix(1763682109, 0),
	} {
		got := history.AppendTimestamp(nil, at)
		require.Equal(t, want, string(got))
		require.True(t, json.Valid(got))
	}
}

func FuzzParseSince(f *testing.F) {
	for _, s := range []string{"", "now", "all", "-5", "--5", "-", "abc-1", "abc-01", "abc--1", "ABC-1", "a-18446744073709551616"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := history.ParseSince(text); err != nil {
			require.ErrorIs(t, err, history.ErrCursor)
		}
		cursor, err := history.ParseCursor(text)
		if err == nil {
			require.Equal(t, text, cursor.String(), "a cursor has one text")
		}
	})
}
