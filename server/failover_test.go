package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
)

// onSentinels are settings for instances that share what the Sentinels call the primary.
func onSentinels(s *pubsubtest.Sentinels) settings.Settings {
	set := open()
	set.History, set.HistoryAge = s.URL(), time.Hour
	return set
}

// longestRefusal bounds what a post takes that is refused: two seconds, and what a busy
// machine takes.
const longestRefusal = 5 * time.Second

// sayThrough says a text again and again until it is taken, and tells how long that took
// and how long the slowest refusal.
func (r *running) sayThrough(t *testing.T, text string) (all, slowest time.Duration) {
	began := time.Now()
	for {
		one := time.Now()
		status := r.say(t, text)
		slowest = max(slowest, time.Since(one))
		if status == http.StatusOK {
			return time.Since(began), slowest
		}
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Less(t, time.Since(began), pubsubtest.Patience)
	}
}

// The primary may be killed, frozen, or asked to go. Posts are refused for a while, and
// those who wait are served by its successor: at every instance, nothing is restarted.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*pubsubtest.Sentinels) *pubsubtest.Redis{
		"killed": (*pubsubtest.Sentinels).KillPrimary,
		"frozen": (*pubsubtest.Sentinels).FreezePrimary,
		"asked":  (*pubsubtest.Sentinels).AskPrimaryToGo,
	} {
		if testing.Short() && name != "killed" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sentinels := pubsubtest.StartSentinels(t, 1)
			a, b := start(t, onSentinels(sentinels)), start(t, onSentinels(sentinels))
			require.Equal(t, http.StatusOK, a.say(t, "before"))
			cursor := b.poll(t, "since=all&timeout=0").Cursor
			waiting := b.dial(t, "/sub/room?timeout=60&since="+cursor)
			defer waiting.Close()
			b.polling(t, 1)
			sentinels.AwaitCopies()

			began := time.Now()
			was := end(sentinels)
			after, slowest := a.sayThrough(t, "after")
			t.Logf("posts were taken again after %v; the slowest refusal took %v", after, slowest)
			require.Less(t, slowest, longestRefusal)
			_, body := answer(t, waiting)
			t.Logf("who waited was answered after %v", time.Since(began))
			require.NotContains(t, body, `"gap"`)
			sentinels.AwaitOther(was)
			for i := range 3 { // the bell rings from everyone to everyone
				for _, pair := range [][2]*running{{a, b}, {b, a}} {
					cursor := pair[1].poll(t, "since=now&timeout=0").Cursor
					waiting := pair[1].dial(t, "/sub/room?timeout=60&since="+cursor)
					pair[1].polling(t, 1)
					one := time.Now()
					require.Equal(t, http.StatusOK, pair[0].say(t, fmt.Sprint(i)))
					_, body := answer(t, waiting)
					t.Logf("ring %d after %v", i, time.Since(one))
					require.Contains(t, body, fmt.Sprintf(`"message":"%d"`, i))
					waiting.Close()
				}
			}
		})
	}
}

// A successor that had fallen behind does not have what was acknowledged, and gives its
// ids to other messages. Whoever has a cursor is told, also by an instance that knows
// nothing of what was.
func TestFailoverThatLosesIsTold(t *testing.T) {
	t.Parallel()
	sentinels := pubsubtest.StartSentinels(t, 1)
	a, b := start(t, onSentinels(sentinels)), start(t, onSentinels(sentinels))
	require.Equal(t, http.StatusOK, a.say(t, "kept"))
	sentinels.AwaitCopies()
	sentinels.Unfollow()
	for i := range 3 {
		require.Equal(t, http.StatusOK, a.say(t, fmt.Sprint("lost ", i)))
	}
	lost := b.poll(t, "since=all&timeout=0").Cursor
	waiting := b.dial(t, "/sub/room?timeout=60&since="+lost)
	defer waiting.Close()
	b.polling(t, 1)

	sentinels.KillPrimary()
	a.sayThrough(t, "other")
	_, body := answer(t, waiting)
	require.Contains(t, body, `"reason":"restarted"`)
	for i := range 4 {
		require.Equal(t, http.StatusOK, b.say(t, fmt.Sprint("other ", i)))
	}
	new := start(t, onSentinels(sentinels))
	for _, s := range []*running{a, b, new} {
		page := s.poll(t, "timeout=0&since="+lost)
		require.NotNil(t, page.Gap)
		require.Equal(t, "restarted", page.Gap.Reason)
		require.Equal(t, []string{"kept", "other", "other 0", "other 1", "other 2", "other 3"}, page.texts())
		require.Equal(t, page.Cursor, s.poll(t, "timeout=0&since="+page.Cursor).Cursor)
	}
}
