package hub_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pubsub/server/history"
	"pubsub/server/hub"
)

func (w *world) say(t require.TestingT, channel string, n int) {
	for range n {
		_, err := w.hub.Publish(context.Background(), history.Post{Channel: channel, Object: []byte(`{}`), By: ann})
		require.NoError(t, err)
	}
}

// placesOf are the places of readers of some channels, from a cursor's text on.
func placesOf(t require.TestingT, channels []string, since ...string) (places []hub.Place) {
	for i, name := range channels {
		from, err := history.ParseSince(since[i])
		require.NoError(t, err)
		places = append(places, hub.Place{Channel: name, Since: from})
	}
	return places
}

// One follower waits on several channels, whichever of them has something.
func TestFollowerOfSeveralChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, history.Options{})
		defer w.stop(t)
		names := []string{"a", "b", "c"}
		next, err := w.hub.Follow(placesOf(t, names, "now", "now", "now"), 10)
		require.NoError(t, err)
		defer next.Close()
		next.SetTimeout(time.Minute)
		for i, name := range []string{"a", "b", "c", "b", "b", "a"} {
			began := time.Now()
			time.AfterFunc(time.Second, func() { w.say(t, name, 1) })
			page, err := next.Next(t.Context())
			require.NoError(t, err)
			require.Equal(t, time.Second, time.Since(began), "message %d rings at once", i)
			require.Len(t, page.Messages, 1)
			require.Contains(t, string(page.Messages[0].JSON), fmt.Sprintf(`"channel":%q`, name))
			require.True(t, page.Waited)
		}
		_, err = next.Next(t.Context())
		require.ErrorIs(t, err, hub.ErrTimeout)
		require.NoError(t, w.bus.Close())
		_, err = next.Next(t.Context())
		require.ErrorIs(t, err, hub.ErrClosed)
	})
}

// Who has no goroutine to wait with reads when it is rung for.
func TestReadWhenReady(t *testing.T) {
	w := newWorld(t, history.Options{})
	defer w.stop(t)
	next, err := w.hub.Follow(placesOf(t, []string{"a", "b"}, "all", "all"), 7)
	require.NoError(t, err)
	defer next.Close()
	const each = 300
	go func() {
		for range each {
			w.say(t, "a", 1)
			w.say(t, "b", 1)
		}
	}()
	for got := 0; got < 2*each; {
		page, err := next.Read(t.Context())
		if err == hub.ErrNothing {
			<-next.Ready()
			continue
		}
		require.NoError(t, err)
		got += len(page.Messages)
	}
	_, err = next.Read(t.Context())
	require.ErrorIs(t, err, hub.ErrNothing)
}

// A busy channel does not keep the others' messages back.
func TestSeveralChannelsShareAPage(t *testing.T) {
	w := newWorld(t, history.Options{})
	defer w.stop(t)
	w.say(t, "busy", 100)
	w.say(t, "calm", 2)
	page, err := w.hub.Read(t.Context(), placesOf(t, []string{"busy", "calm"}, "all", "all"), 10)
	require.NoError(t, err)
	require.Len(t, page.Messages, 7)
	require.True(t, page.More)
	require.EqualValues(t, 5, page.Cursors[0].ID)
	require.EqualValues(t, 2, page.Cursors[1].ID)
}

// An answer tells one gap, the next answer the next.
func TestGapsOfSeveralChannels(t *testing.T) {
	w := newWorld(t, history.Options{Messages: 2})
	defer w.stop(t)
	names := []string{"a", "b"}
	start, err := w.hub.Read(t.Context(), placesOf(t, names, "now", "now"), 9)
	require.NoError(t, err)
	w.say(t, "a", 5)
	w.say(t, "b", 6)
	places := placesOf(t, names, start.Cursors[0].String(), start.Cursors[1].String())
	next, err := w.hub.Follow(places, 9)
	require.NoError(t, err)
	defer next.Close()
	page, err := next.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, &history.Gap{Channel: "a", Reason: history.Expired, Missed: 3}, page.Gap)
	require.Len(t, page.Messages, 2)
	require.True(t, page.More)
	page, err = next.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, &history.Gap{Channel: "b", Reason: history.Expired, Missed: 4}, page.Gap)
	require.Len(t, page.Messages, 2)
	require.False(t, page.More)
}

// However pages are cut, who goes on from their cursors gets every message of every
// channel once and in order.
func TestCutPagesGoOn(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(r, history.Options{})
		defer w.stop(r)
		counts := rapid.SliceOfN(rapid.IntRange(0, 6), 1, 4).Draw(r, "messages")
		var places []hub.Place
		for i, n := range counts {
			name := fmt.Sprint("room", i)
			w.say(r, name, n)
			places = append(places, hub.Place{Channel: name, Since: history.All()})
		}
		got := make([]int, len(counts))
		for more := true; more; {
			page, err := w.hub.Read(context.Background(), places, rapid.IntRange(1, 12).Draw(r, "limit"))
			require.NoError(r, err)
			all := len(page.Messages)
			for range rapid.IntRange(0, 2).Draw(r, "cuts") {
				page.Cut(rapid.IntRange(1, 600).Draw(r, "bytes"))
			}
			require.True(r, all == 0 || len(page.Messages) > 0)
			for _, m := range page.Messages {
				var i int
				_, err := fmt.Sscanf(string(m.JSON[len(fmt.Sprintf(`{"id":%d,"timestamp":`, m.ID))+17:]), `,"channel":"room%d"`, &i)
				require.NoError(r, err, "%s", m.JSON)
				got[i]++
				require.EqualValues(r, got[i], m.ID, "room %d", i)
			}
			for i := range places {
				places[i].Since = history.After(page.Cursors[i])
				require.EqualValues(r, got[i], page.Cursors[i].ID, "room %d", i)
			}
			more = page.More
		}
		require.Equal(r, counts, got)
	})
}
