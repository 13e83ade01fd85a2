package historytest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

// Owners runs the tests of a log that shares its room out among owners.
func Owners(t *testing.T, open Open) {
	t.Run("Shares", func(t *testing.T) { testShares(t, open) })
	t.Run("Bytes", func(t *testing.T) { testBytes(t, open) })
}

// testShares: a new owner gets room from the owner that has most, but not from a channel on
// which a client waits. The readers are told.
func testShares(t *testing.T, open Open) {
	log := open(t, history.Options{Channels: 4, ChannelsPerOwner: 4, Waited: func(channel string) bool { return channel == "1" }})
	var cursors []history.Cursor
	for i := range 4 {
		cursors = append(cursors, add(t, log, fmt.Sprint(i+1), 2))
	}
	require.ErrorIs(t, begin(log, "5", ann), history.ErrTooManyOfOwner)
	for _, name := range []string{"x", "y"} {
		require.NoError(t, begin(log, name, bob))
	}
	require.Equal(t, []string{"1", "4", "x", "y"}, channels(t, log), "1 is waited on, 2 and 3 were ann's oldest")
	require.ErrorIs(t, begin(log, "z", bob), history.ErrTooManyChannels, "ann has no more than bob")
	page := read(t, log, "2", history.After(history.Cursor{Epoch: cursors[1].Epoch, ID: 1}), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap)
	require.Equal(t, cursors[1], page.Cursor)
}

// testBytes: over the bound the oldest message of the owner that has most leaves, even from
// between those of others, and readers get an exact gap.
func testBytes(t *testing.T, open Open) {
	log := open(t, history.Options{Bytes: 23_000, BytesPerOwner: 12_000})
	long := []byte(`{"message":"` + strings.Repeat("x", 3000) + `"}`)
	say := func(channel string, by history.Owner) history.Cursor {
		return post(t, log, history.Post{Channel: channel, Object: long, By: by}).Cursor
	}
	start := read(t, log, "room", history.Now(), everything).Cursor
	for range 3 { // a b a b a b
		say("room", ann)
		say("room", bob)
	}
	require.Equal(t, "1 2 3 4 5 6", ids(read(t, log, "room", history.After(start), everything)))
	say("ann's", ann)
	page := read(t, log, "room", history.After(start), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap, "three of 3,400 are all that ann may have")
	require.Equal(t, "2 3 4 5 6", ids(page))
	say("ann's", ann)
	page = read(t, log, "room", history.After(start), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap)
	require.Equal(t, "2", ids(page), "up to what has left from the middle")
	require.True(t, page.More)
	require.Equal(t, "2", ids(read(t, log, "room", history.All(), everything)))
	page = read(t, log, "room", history.After(page.Cursor), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap)
	require.Equal(t, "4 5 6", ids(page))
	require.False(t, page.More)
	require.Equal(t, "4 5 6", ids(read(t, log, "room", history.AfterID(2), everything)))
	require.Equal(t, "4 5 6", ids(read(t, log, "room", history.Last(4), everything)), "what has left counts among the last")
	require.Equal(t, "5 6", ids(read(t, log, "room", history.Last(2), everything)))
	require.Equal(t, "5 6", ids(read(t, log, "room", history.Back(), 2)))
	page = read(t, log, "room", history.Back(), everything)
	require.Equal(t, "4 5 6", ids(page))
	require.Equal(t, "2", ids(read(t, log, "room", history.Before(history.Cursor{Epoch: page.Start.Epoch, ID: page.Start.ID}), everything)))
	for range 5 {
		say("bob's", bob)
	}
	require.Equal(t, "3 4 5", ids(read(t, log, "bob's", history.All(), everything)))
	page = read(t, log, "room", history.After(start), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 4}, page.Gap)
	require.Equal(t, "5", ids(page))
	page = read(t, log, "room", history.After(page.Cursor), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap, "nothing is behind it")
	require.Equal(t, uint64(6), page.Cursor.ID)

	say("cid's", netip.MustParseAddr("192.0.2.3"))
	kept := 0
	for _, channel := range channels(t, log) {
		kept += len(read(t, log, channel, history.Last(3), everything).Messages)
	}
	require.Equal(t, 6, kept, "23,000 bytes in all, and who had most made room")
	require.Equal(t, "1", ids(read(t, log, "cid's", history.All(), everything)))
}
