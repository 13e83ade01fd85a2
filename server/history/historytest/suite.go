// Package historytest holds an implementation of history.Log against its
// contract.
package historytest

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pubsub/server/history"
)

// Open makes an empty log for one test and cleans it up afterwards.
type Open func(t testing.TB, options history.Options) history.Log

// Two whose messages are kept.
var (
	ann = netip.MustParseAddr("192.0.2.1")
	bob = netip.MustParseAddr("192.0.2.2")
)

const everything = 1 << 30 // a limit that cuts nothing short

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Messages":        testMessages,
		"Since":           testSince,
		"Limit":           testLimit,
		"Count":           testCount,
		"Age":             testAge,
		"Timestamps":      testTimestamps,
		"Flood":           testFlood,
		"Channels":        testChannels,
		"Concurrent":      testConcurrent,
		"Model":           testModel,
		"Shares":          testShares,
		"Home":            testHome,
		"Bytes":           testBytes,
		"Reads":           testReadsLeaveNothing,
		"Past":            testPast,
		"BeforeTheFirst":  testBeforeTheFirst,
		"PagesStayIntact": testPagesStayIntact,
	} {
		// Its clock is the bubble's, so that a minute takes no time.
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, open) })
		})
	}
}

func add(t require.TestingT, log history.Log, channel string, n int) (last history.Cursor) {
	for range n {
		_, cursor, err := log.Append(channel, []byte(`{"message":"hi"}`), ann)
		require.NoError(t, err)
		last = cursor
	}
	return last
}

func read(t require.TestingT, log history.Log, channel string, since history.Since, limit int) *history.Page {
	page, err := log.Read(channel, since, limit)
	require.NoError(t, err)
	return page
}

// ids returns the ids of a page as text: "3 4 5".
func ids(page *history.Page) string {
	var all []string
	for _, m := range page.Messages {
		all = append(all, fmt.Sprint(m.ID))
	}
	return strings.Join(all, " ")
}

func testMessages(t *testing.T, open Open) {
	log := open(t, history.Options{})
	message, cursor, err := log.Append("chat", []byte(`{"nick":"änn","message":"<b>"}`), ann)
	require.NoError(t, err)
	page := read(t, log, "chat", history.All(), everything)
	require.Equal(t, []history.Message{message}, page.Messages)
	require.Equal(t, message.Time, page.LastTime)
	require.Equal(t, cursor, page.Cursor)
	require.Equal(t, uint64(1), cursor.ID)

	var object map[string]any
	require.NoError(t, json.Unmarshal(message.JSON, &object))
	require.InDelta(t, float64(message.Time.UnixMicro())/1e6, object["timestamp"], 1e-6)
	delete(object, "timestamp")
	require.Equal(t, map[string]any{"id": 1.0, "channel": "chat", "nick": "änn", "message": "<b>"}, object)

	message, _, err = log.Append("empty", []byte(`{}`), ann)
	require.NoError(t, err)
	require.True(t, json.Valid(message.JSON), "%s", message.JSON)
}

func testSince(t *testing.T, open Open) {
	log := open(t, history.Options{})
	before := read(t, log, "chat", history.Now(), everything)
	require.Empty(t, before.Messages)
	require.Nil(t, before.Gap)
	at := time.Now()
	last := add(t, log, "chat", 5)
	ahead := history.Cursor{Epoch: last.Epoch, ID: 6}
	foreign := history.Cursor{Epoch: "another", ID: 2}
	for _, c := range []struct {
		name  string
		since history.Since
		ids   string
		gap   *history.Gap
	}{
		{"a cursor from before the first message", history.After(before.Cursor), "1 2 3 4 5", nil},
		{"now", history.Now(), "", nil},
		{"all", history.All(), "1 2 3 4 5", nil},
		{"the last 0", history.Last(0), "", nil},
		{"the last 2", history.Last(2), "4 5", nil},
		{"the last 99", history.Last(99), "1 2 3 4 5", nil},
		{"after the last", history.After(last), "", nil},
		{"after one", history.After(history.Cursor{Epoch: last.Epoch, ID: 3}), "4 5", nil},
		{"ahead", history.After(ahead), "1 2 3 4 5", &history.Gap{Reason: history.Ahead}},
		{"another epoch", history.After(foreign), "1 2 3 4 5", &history.Gap{Reason: history.Restarted}},
		{"after id 0", history.AfterID(0), "1 2 3 4 5", nil},
		{"after id 4", history.AfterID(4), "5", nil},
		{"after id 5", history.AfterID(5), "", nil},
		{"an id ahead", history.AfterID(99), "1 2 3 4 5", nil},
		{"before all times", history.AfterTime(at.Add(-time.Second)), "1 2 3 4 5", nil},
		{"after all times", history.AfterTime(at.Add(time.Second)), "", nil},
	} {
		page := read(t, log, "chat", c.since, everything)
		require.Equal(t, c.ids, ids(page), c.name)
		require.Equal(t, c.gap, page.Gap, c.name)
		require.Equal(t, last, page.Cursor, c.name)
		require.False(t, page.More, c.name)
	}
	third := read(t, log, "chat", history.All(), everything).Messages[2]
	require.Equal(t, "4 5", ids(read(t, log, "chat", history.AfterTime(third.Time), everything)))
}

func testLimit(t *testing.T, open Open) {
	log := open(t, history.Options{})
	add(t, log, "chat", 5)
	page := read(t, log, "chat", history.All(), 2)
	require.Equal(t, "1 2", ids(page))
	require.True(t, page.More)
	page = read(t, log, "chat", history.After(page.Cursor), 3)
	require.Equal(t, "3 4 5", ids(page))
	require.False(t, page.More, "nothing is left")
}

func testCount(t *testing.T, open Open) {
	log := open(t, history.Options{Messages: 10})
	old := read(t, log, "chat", history.Now(), everything).Cursor
	add(t, log, "chat", 25)
	page := read(t, log, "chat", history.After(old), 3)
	require.Equal(t, "16 17 18", ids(page))
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 15}, page.Gap)
	page = read(t, log, "chat", history.After(page.Cursor), everything)
	require.Equal(t, "19 20 21 22 23 24 25", ids(page))
	require.Nil(t, page.Gap, "a gap is told once")
	require.Equal(t, "16", ids(read(t, log, "chat", history.AfterID(3), 1)))
	require.Equal(t, "16", ids(read(t, log, "chat", history.AfterID(30), 1)))
}

func testAge(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute})
	old := add(t, log, "chat", 3)
	time.Sleep(30 * time.Second)
	add(t, log, "chat", 2)
	time.Sleep(30 * time.Second)
	require.Equal(t, "4 5", ids(read(t, log, "chat", history.All(), everything)))
	time.Sleep(30 * time.Second)
	page := read(t, log, "chat", history.After(old), everything)
	require.Empty(t, page.Messages)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 2}, page.Gap)
	require.Equal(t, history.Cursor{Epoch: old.Epoch, ID: 5}, page.Cursor)
	require.Equal(t, uint64(6), add(t, log, "chat", 1).ID, "ids go on when all have expired")
}

// testFlood: a flood is told while it lasts.
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

func testTimestamps(t *testing.T, open Open) {
	log := open(t, history.Options{})
	add(t, log, "chat", 1000) // the bubble's clock stands still meanwhile
	var last time.Time
	for _, m := range read(t, log, "chat", history.All(), everything).Messages {
		require.True(t, m.Time.After(last), "%v after %v", m.Time, last)
		require.Zero(t, m.Time.Nanosecond()%1000)
		last = m.Time
	}
}

func testChannels(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute, Channels: 3})
	require.NotNil(t, log.Channels())
	require.Empty(t, log.Channels())
	b := add(t, log, "b", 1)
	a := add(t, log, "a", 1)
	require.Equal(t, []string{"a", "b"}, log.Channels())
	require.NotEqual(t, a.Epoch, b.Epoch)
	add(t, log, "c", 1)
	_, _, err := log.Append("d", []byte(`{}`), ann)
	require.ErrorIs(t, err, history.ErrTooManyChannels, "nobody has more than ann")
	add(t, log, "c", 1) // those that are there are as good as before
	require.Equal(t, 3, log.Len())
	time.Sleep(time.Minute)
	add(t, log, "d", 1)
	require.Equal(t, []string{"d"}, log.Channels(), "what has no message makes room")
}

// testShares: who is new gets room from who has most, but for a channel that
// somebody waits on, and its readers are told.
func testShares(t *testing.T, open Open) {
	log := open(t, history.Options{Channels: 4, ChannelsPerOwner: 4, Waited: func(channel string) bool { return channel == "1" }})
	var cursors []history.Cursor
	for i := range 4 {
		cursors = append(cursors, add(t, log, fmt.Sprint(i+1), 2))
	}
	_, _, err := log.Append("5", []byte(`{}`), ann)
	require.ErrorIs(t, err, history.ErrTooManyOfOwner)
	for _, name := range []string{"x", "y"} {
		_, _, err := log.Append(name, []byte(`{}`), bob)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"1", "4", "x", "y"}, log.Channels(), "1 is waited on, 2 and 3 were ann's oldest")
	_, _, err = log.Append("z", []byte(`{}`), bob)
	require.ErrorIs(t, err, history.ErrTooManyChannels, "ann has no more than bob")
	page := read(t, log, "2", history.After(history.Cursor{Epoch: cursors[1].Epoch, ID: 1}), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap)
	require.Equal(t, cursors[1], page.Cursor)
}

func testHome(t *testing.T, open Open) {
	log := open(t, history.Options{Channels: 1, ChannelsPerOwner: 1, Home: "home"})
	add(t, log, "a", 1)
	add(t, log, "home", 1)
	require.Equal(t, []string{"a", "home"}, log.Channels())
	_, _, err := log.Append("b", []byte(`{}`), bob)
	require.ErrorIs(t, err, history.ErrTooManyChannels, "it is nobody's to take")
}

// testBytes: over the bound the oldest message of the owner that has most leaves,
// also from between those of others, and is told exactly.
func testBytes(t *testing.T, open Open) {
	log := open(t, history.Options{Bytes: 22_000, BytesPerOwner: 12_000})
	long := []byte(`{"message":"` + strings.Repeat("x", 3000) + `"}`)
	post := func(channel string, by history.Owner) history.Cursor {
		_, cursor, err := log.Append(channel, long, by)
		require.NoError(t, err)
		return cursor
	}
	start := read(t, log, "room", history.Now(), everything).Cursor
	for range 3 { // a b a b a b
		post("room", ann)
		post("room", bob)
	}
	require.Equal(t, "1 2 3 4 5 6", ids(read(t, log, "room", history.After(start), everything)))
	post("ann's", ann)
	page := read(t, log, "room", history.After(start), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap, "three of 3,300 are all that ann may have")
	require.Equal(t, "2 3 4 5 6", ids(page))
	post("ann's", ann)
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
	for range 5 {
		post("bob's", bob)
	}
	require.Equal(t, "3 4 5", ids(read(t, log, "bob's", history.All(), everything)))
	page = read(t, log, "room", history.After(start), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 4}, page.Gap)
	require.Equal(t, "5", ids(page))
	page = read(t, log, "room", history.After(page.Cursor), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 1}, page.Gap, "nothing is behind it")
	require.Equal(t, uint64(6), page.Cursor.ID)

	post("cid's", netip.MustParseAddr("192.0.2.3"))
	kept := 0
	for _, channel := range log.Channels() {
		kept += len(read(t, log, channel, history.Last(3), everything).Messages)
	}
	require.Equal(t, 6, kept, "22,000 bytes in all, and who had most made room")
	require.Equal(t, "1", ids(read(t, log, "cid's", history.All(), everything)))
}

// testReadsLeaveNothing: a channel that nobody has posted to takes no room, and its
// cursor holds all the same.
func testReadsLeaveNothing(t *testing.T, open Open) {
	log := open(t, history.Options{Channels: 2})
	for i := range 10 {
		read(t, log, fmt.Sprint(i), history.All(), everything)
	}
	require.Empty(t, log.Channels())
	require.Zero(t, log.Len())
	cursor := read(t, log, "chat", history.Now(), everything).Cursor
	require.Zero(t, cursor.ID)
	page := read(t, log, "chat", history.After(cursor), everything)
	require.Equal(t, cursor, page.Cursor)
	require.Nil(t, page.Gap)
	add(t, log, "chat", 2)
	page = read(t, log, "chat", history.After(cursor), everything)
	require.Equal(t, "1 2", ids(page))
	require.Nil(t, page.Gap)
	cursor.ID = 1
	require.Equal(t, history.Restarted, read(t, log, "chat", history.After(cursor), everything).Gap.Reason)
}

// testPast: when its messages are gone, a channel is remembered for a day.
func testPast(t *testing.T, open Open) {
	log := open(t, history.Options{Age: time.Minute})
	before := read(t, log, "chat", history.Now(), everything).Cursor
	cursor := add(t, log, "chat", 3)
	time.Sleep(10 * time.Hour)
	require.Empty(t, log.Channels())
	page := read(t, log, "chat", history.After(history.Cursor{Epoch: cursor.Epoch, ID: 1}), everything)
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 2}, page.Gap)
	require.Equal(t, cursor, page.Cursor)
	require.False(t, page.LastTime.IsZero())
	require.Equal(t, &history.Gap{Reason: history.Expired, Missed: 3}, read(t, log, "chat", history.After(before), everything).Gap)
	require.Equal(t, history.Cursor{Epoch: cursor.Epoch, ID: 4}, add(t, log, "chat", 1), "it goes on")
	require.Equal(t, "4", ids(read(t, log, "chat", history.AfterID(3), everything)))

	time.Sleep(25 * time.Hour)
	require.Equal(t, uint64(0), read(t, log, "chat", history.Now(), everything).Cursor.ID)
	require.Equal(t, &history.Gap{Reason: history.Restarted}, read(t, log, "chat", history.After(cursor), everything).Gap)
	require.Equal(t, &history.Gap{Reason: history.Restarted}, read(t, log, "chat", history.After(before), everything).Gap,
		"what it missed cannot be known any more")
	require.Equal(t, uint64(1), add(t, log, "chat", 1).ID)
}

// testBeforeTheFirst: who waits for the first message for days, asking now and
// then, is not told of a gap.
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

func testPagesStayIntact(t *testing.T, open Open) {
	log := open(t, history.Options{Messages: 4})
	add(t, log, "chat", 4)
	page := read(t, log, "chat", history.All(), everything)
	first := string(page.Messages[0].JSON)
	add(t, log, "chat", 100)
	require.Equal(t, "1 2 3 4", ids(page), "a page that somebody still reads")
	require.Equal(t, first, string(page.Messages[0].JSON))
}

func testConcurrent(t *testing.T, open Open) {
	log := open(t, history.Options{})
	const writers, each = 8, 200
	var all sync.WaitGroup
	for range writers {
		all.Go(func() { add(t, log, "chat", each) })
		all.Go(func() {
			cursor := read(t, log, "chat", history.All(), 0).Cursor
			for next := uint64(1); next <= writers*each; {
				page := read(t, log, "chat", history.After(cursor), 7)
				for _, m := range page.Messages {
					require.Equal(t, next, m.ID)
					next++
				}
				cursor = page.Cursor
			}
		})
	}
	all.Wait()
}

// testModel holds the log against the simplest one there is: a slice that
// keeps everything, and two bounds applied when it is read.
func testModel(t *testing.T, open Open) {
	noDeadline := struct{ rapid.TB }{t} // a bubble has none to ask for
	rapid.Check(noDeadline, func(r *rapid.T) {
		options := history.Options{
			Messages: rapid.IntRange(0, 5).Draw(r, "messages"),
			Age:      time.Duration(rapid.IntRange(0, 3).Draw(r, "age")) * time.Second,
		}
		log := open(t, options)
		var appended []time.Time // of message i+1
		reader := read(r, log, "chat", history.Now(), everything).Cursor
		r.Repeat(map[string]func(*rapid.T){
			"append": func(r *rapid.T) {
				add(r, log, "chat", 1)
				appended = append(appended, time.Now())
			},
			"wait": func(r *rapid.T) {
				time.Sleep(time.Duration(rapid.IntRange(1, 2000).Draw(r, "ms")) * time.Millisecond)
			},
			"read": func(r *rapid.T) {
				dropped := 0
				for i, at := range appended {
					tooMany := options.Messages > 0 && len(appended)-i > options.Messages
					tooOld := options.Age > 0 && time.Since(at) >= options.Age
					if tooMany || tooOld {
						dropped = i + 1
					}
				}
				page := read(r, log, "chat", history.After(reader), rapid.IntRange(1, 4).Draw(r, "limit"))
				next := reader.ID
				if missed := dropped - int(reader.ID); missed > 0 {
					require.Equal(r, &history.Gap{Reason: history.Expired, Missed: uint64(missed)}, page.Gap)
					next = uint64(dropped)
				} else {
					require.Nil(r, page.Gap)
				}
				for _, m := range page.Messages {
					next++
					require.Equal(r, next, m.ID)
				}
				require.Equal(r, next, page.Cursor.ID)
				require.Equal(r, int(next) < len(appended), page.More)
				reader = page.Cursor
			},
		})
	})
}
