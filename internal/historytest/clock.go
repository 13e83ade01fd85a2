package historytest

import (
	"testing"
	"testing/synctest"
	"time"

	"pubsub/server/history"

	"github.com/stretchr/testify/require"
)

// Clock runs the tests that depend on time, in a [synctest] bubble with a fake clock. So a
// day passes at once. In a bubble the log must not wait on a socket.
func Clock(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Age":            testAge,
		"Flood":          testFlood,
		"Channels":       testChannels,
		"Dormant":        testDormant,
		"BeforeTheFirst": testBeforeTheFirst,
		"ReadOn":         testReadOn,
		"Keys":           testKeysAreForgotten,
		"Model":          testModel,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open) })
		})
	}
}

// pass lets time pass, and some microseconds more, as far as timestamps of one instant
// differ.
func pass(d time.Duration) { time.Sleep(d + 37*time.Microsecond) }

func testAge(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute})
	old := add(t, log, "chat", 3)
	pass(30 * time.Second)
	add(t, log, "chat", 2)
	pass(30 * time.Second)
	require.Equal(t, "4 5", ids(read(t, log, "chat", history.All(), everything)))
	pass(30 * time.Second)
	page := read(t, log, "chat", history.After(old), everything)
	require.Empty(t, page.Messages)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 2}, page.Gap)
	require.Equal(t, old.Epoch, page.Cursor.Epoch)
	require.EqualValues(t, 5, page.Cursor.ID)
	require.Equal(t, uint64(6), add(t, log, "chat", 1).ID, "ids go on when all have expired")
}

// testFlood: a page tells of a flood as long as it lasts.
func testFlood(t *testing.T, open Open) {
	log := open(t, history.Options{})
	const apart = time.Second / history.FloodRate
	flood := func() bool { return read(t, log, "chat", history.Now(), everything).Flood }
	for range 20 {
		add(t, log, "chat", 1)
		require.False(t, flood(), "slow enough")
		time.Sleep(2 * apart)
	}
	for range 20 {
		time.Sleep(apart / 2)
		add(t, log, "chat", 1)
	}
	require.True(t, flood())
	require.False(t, read(t, log, "another", history.All(), everything).Flood)
	time.Sleep(time.Second)
	require.False(t, flood(), "it is over")
}

func testChannels(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute, Channels: 3})
	require.NotNil(t, channels(t, log))
	require.Empty(t, channels(t, log))
	b := add(t, log, "b", 1)
	a := add(t, log, "a", 1)
	require.Equal(t, []string{"a", "b"}, channels(t, log))
	require.NotEqual(t, a.Epoch, b.Epoch)
	add(t, log, "c", 1)
	require.ErrorIs(t, begin(log, "d", ann), history.ErrTooManyChannels, "nobody has more than ann")
	add(t, log, "c", 1) // channels that are there already can be posted to as before
	pass(time.Minute)
	add(t, log, "d", 1)
	require.Equal(t, []string{"d"}, channels(t, log), "what has no message makes room")
}

// testDormant: a channel is remembered for a day after its messages have expired.
func testDormant(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute})
	before := read(t, log, "chat", history.Now(), everything).Cursor
	cursor := add(t, log, "chat", 3)
	time.Sleep(10 * time.Hour)
	require.Empty(t, channels(t, log))
	page := read(t, log, "chat", history.After(history.Cursor{Epoch: cursor.Epoch, ID: 1}), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 2}, page.Gap)
	require.Equal(t, cursor, page.Cursor)
	require.False(t, page.LastTime.IsZero())
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 3}, read(t, log, "chat", history.After(before), everything).Gap)
	goesOn := add(t, log, "chat", 1)
	require.Equal(t, cursor.Epoch, goesOn.Epoch)
	require.EqualValues(t, 4, goesOn.ID)
	require.Equal(t, "4", ids(read(t, log, "chat", history.AfterID(3), everything)))

	time.Sleep(25 * time.Hour)
	require.Equal(t, uint64(0), read(t, log, "chat", history.Now(), everything).Cursor.ID)
	require.Equal(t, &history.Gap{Reason: history.Restarted}, read(t, log, "chat", history.After(cursor), everything).Gap)
	require.Equal(t, &history.Gap{Reason: history.Restarted}, read(t, log, "chat", history.After(before), everything).Gap,
		"what it missed cannot be known any more")
	require.Equal(t, uint64(1), add(t, log, "chat", 1).ID)
}

// testBeforeTheFirst: a reader that polls for days before the first message of a channel gets
// no gap.
func testBeforeTheFirst(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute})
	cursor := read(t, log, "chat", history.Now(), everything).Cursor
	for range 20 {
		time.Sleep(5 * time.Hour)
		page := read(t, log, "chat", history.After(cursor), everything)
		require.Nil(t, page.Gap)
		cursor = page.Cursor
	}
	add(t, log, "chat", 1)
	page := read(t, log, "chat", history.After(cursor), everything)
	require.Nil(t, page.Gap)
	require.Equal(t, "1", ids(page))
}

// testReadOn: a reader that polls in a channel that is quiet for days gets no gap, and misses
// nothing at the next post.
func testReadOn(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute})
	cursor := add(t, log, "chat", 3)
	for range 20 {
		time.Sleep(5 * time.Hour)
		page := read(t, log, "chat", history.After(cursor), everything)
		require.Nil(t, page.Gap)
		require.Equal(t, cursor, page.Cursor)
	}
	require.EqualValues(t, 4, add(t, log, "chat", 1).ID)
	page := read(t, log, "chat", history.After(cursor), everything)
	require.Nil(t, page.Gap)
	require.Equal(t, "4", ids(page))
}

func testKeysAreForgotten(t *testing.T, open Open) {
	log := open(t, history.Options{})
	send := func() uint64 {
		return post(t, log, history.Post{Channel: "chat", Object: hi, By: ann, Key: "k"}).Cursor.ID
	}
	require.EqualValues(t, 1, send())
	time.Sleep(history.KeyFor - time.Second)
	require.EqualValues(t, 1, send())
	time.Sleep(time.Second)
	require.EqualValues(t, 2, send(), "counted from the first")
	time.Sleep(2 * time.Minute)
	require.EqualValues(t, 2, send(), "the first use is forgotten, not the second")
}
