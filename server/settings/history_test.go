package settings_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

func TestWhereMessagesAreKept(t *testing.T) {
	for where, c := range map[string]struct {
		history string
		age     time.Duration
	}{
		"memory":                         {"memory", 5 * time.Minute},
		"./data":                         {"./data", 7 * 24 * time.Hour},
		"redis://:secret@host:6379/1":    {"redis://:secret@host:6379/1", 7 * 24 * time.Hour},
		"redis-sentinel://a:1,b:2/chief": {"redis-sentinel://a:1,b:2/chief", 7 * 24 * time.Hour},
		"env:REDIS_URL":                  {"rediss://host", 7 * 24 * time.Hour},
	} {
		s, err := settings.Load([]string{"-history", where}, []string{"REDIS_URL=rediss://host"})
		require.NoError(t, err)
		require.Equal(t, c.history, s.History)
		require.Equal(t, c.age, s.HistoryAge)
	}
	s, err := settings.Load([]string{"-history=./data", "-history-age=1h", "-history-bytes=0"}, nil)
	require.NoError(t, err)
	require.Equal(t, time.Hour, s.HistoryAge)
	require.Zero(t, s.HistoryBytes)
	for where, sentence := range map[string]string{
		"data":            "with a slash in it",
		"http://host":     "must have redis://",
		"env:NO_SUCH_URL": "there is no variable NO_SUCH_URL",
	} {
		_, err := settings.Load([]string{"-history", where}, nil)
		require.ErrorContains(t, err, sentence)
	}
}

// A platform writes REDIS_URL; what it does not say can be added.
func TestOptionsBehindAVariable(t *testing.T) {
	for history, want := range map[string]string{
		"env:URL":                "rediss://host",
		"env:URL?tls=unverified": "rediss://host?tls=unverified",
		"env:MORE?b=2":           "redis://host?a=1&b=2",
	} {
		s, err := settings.Load(nil, []string{"PUBSUB_HISTORY=" + history, "URL=rediss://host", "MORE=redis://host?a=1"})
		require.NoError(t, err)
		require.Equal(t, want, s.History)
	}
	_, err := settings.Load(nil, []string{"PUBSUB_HISTORY=env:NONE?tls=unverified"})
	require.ErrorContains(t, err, "no variable NONE")
}
