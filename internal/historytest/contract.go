package historytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pubsub/server/history"

	"github.com/stretchr/testify/require"
)

// Contract runs the tests that do not depend on time.
func Contract(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Messages":          testMessages,
		"Since":             testSince,
		"Limit":             testLimit,
		"Count":             testCount,
		"Timestamps":        testTimestamps,
		"Home":              testHome,
		"ReadsLeaveNothing": testReadsLeaveNothing,
		"PagesStayIntact":   testPagesStayIntact,
		"Concurrent":        testConcurrent,
		"Keys":              testKeys,
		"Before":            testBefore,
		"Checks":            testChecks,
		"KeysAtOnce":        testKeysAtOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func testMessages(t *testing.T, open Open) {
	log := open(t, history.Options{})
	receipt := post(t, log, history.Post{Channel: "chat", Object: []byte(`{"nick":"änn","message":"<b>"}`), By: ann})
	message, cursor := receipt.Message, receipt.Cursor
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

	message = post(t, log, history.Post{Channel: "empty", Object: []byte(`{}`), By: ann}).Message
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

// Bytes tests a log that copies what it reads: a page ends after enough bytes, and the next
// goes on from there.
func Bytes(t *testing.T, open Open) {
	log := open(t, history.Options{})
	for range 7 {
		post(t, log, history.Post{Channel: "chat", Object: fmt.Appendf(nil, `{"message":"%01000d"}`, 0), By: ann})
	}
	query := history.Query{Channel: "chat", Since: history.All(), Limit: everything, Fresh: true, Bytes: 2500}
	for _, want := range []string{"1 2 3", "4 5 6", "7", ""} {
		page, err := log.Read(context.Background(), query)
		require.NoError(t, err)
		require.Equal(t, want, ids(page))
		require.Nil(t, page.Gap)
		require.Equal(t, want == "1 2 3" || want == "4 5 6", page.More)
		query.Since = history.After(page.Cursor)
	}
	query.Since, query.Bytes = history.All(), 1
	page, err := log.Read(context.Background(), query)
	require.NoError(t, err)
	require.Equal(t, "1", ids(page), "at least one")
	query.Since, query.Limit, query.Bytes = history.Back(), 5, 2500
	for _, want := range []string{"5 6 7", "2 3 4", "1", ""} {
		page, err := log.Read(context.Background(), query)
		require.NoError(t, err)
		require.Equal(t, want, ids(page), "who goes back has the newest")
		query.Since = history.Before(page.Start)
	}
}

// Dropped tests a log that may be set back to an earlier state: it still knows the newest
// dropped message, so that cursors after it can be checked.
func Dropped(t *testing.T, open Open) {
	log := open(t, history.Options{Messages: 2})
	var cursors []history.Cursor
	for range 9 {
		cursors = append(cursors, add(t, log, "chat", 1))
	}
	page := read(t, log, "chat", history.After(cursors[6]), everything)
	require.Equal(t, "8 9", ids(page))
	require.Nil(t, page.Gap)
	require.Equal(t, cursors[6], page.Start)
	wrong := cursors[6]
	wrong.Check = wrong.Check%1000 + 1
	page = read(t, log, "chat", history.After(wrong), everything)
	require.Equal(t, "8 9", ids(page))
	require.Equal(t, &history.Gap{Reason: history.Restarted}, page.Gap)
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

// testHome: the home channel takes no place of an owner, whichever comes first, and is not
// displaced.
func testHome(t *testing.T, open Open) {
	for _, order := range [][]string{{"home", "a"}, {"a", "home"}} {
		log := open(t, history.Options{Channels: 1, Home: "home"})
		for _, channel := range order {
			require.NoError(t, begin(log, channel, ann), "%s of %v", channel, order)
		}
		require.Equal(t, []string{"a", "home"}, channels(t, log))
		require.ErrorIs(t, begin(log, "b", bob), history.ErrTooManyChannels)

		log = open(t, history.Options{ChannelsPerOwner: 1, Home: "home"})
		for _, channel := range order {
			require.NoError(t, begin(log, channel, ann), "%s of %v", channel, order)
		}
		require.ErrorIs(t, begin(log, "b", ann), history.ErrTooManyOfOwner)
		require.NoError(t, begin(log, "b", bob))
	}

	log := open(t, history.Options{Channels: 3, Home: "home"})
	add(t, log, "home", 1) // the oldest of ann's
	for _, channel := range []string{"1", "2", "3"} {
		add(t, log, channel, 1)
	}
	err := begin(log, "b", bob) // refused, or it displaces one of ann's
	require.True(t, err == nil || errors.Is(err, history.ErrTooManyChannels), err)
	require.Contains(t, channels(t, log), "home")
	require.Len(t, channels(t, log), 4)
	require.Equal(t, "1", ids(read(t, log, "home", history.All(), everything)))
}

// testReadsLeaveNothing: reading a channel without any message takes no memory, and the
// cursor is valid all the same.
func testReadsLeaveNothing(t *testing.T, open Open) {
	log := open(t, history.Options{Channels: 2})
	for i := range 10 {
		read(t, log, fmt.Sprint(i), history.All(), everything)
	}
	require.Empty(t, channels(t, log))
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

// testKeys: a post that is repeated with its key is not appended again.
func testKeys(t *testing.T, open Open) {
	log := open(t, history.Options{Channels: 2, ChannelsPerOwner: 2})
	send := func(channel, key, object string) history.Receipt {
		return post(t, log, history.Post{Channel: channel, Object: []byte(object), By: ann, Key: key})
	}
	first := send("chat", "k", `{"n":1}`)
	require.False(t, first.Repeat)
	add(t, log, "chat", 1)
	again := send("chat", "k", `{"n":1}`)
	require.True(t, again.Repeat)
	require.Equal(t, first.Cursor, again.Cursor)
	require.Equal(t, first.Message.ID, again.Message.ID)
	require.EqualValues(t, 3, send("chat", "k", `{"n":2}`).Cursor.ID, "who chose the same key for something else is somebody else")
	require.EqualValues(t, 1, send("other", "k", `{"n":1}`).Cursor.ID, "on another channel it is another post")
	require.EqualValues(t, 4, send("chat", "", `{"n":1}`).Cursor.ID)
	require.EqualValues(t, 5, send("chat", "", `{"n":1}`).Cursor.ID, "no key is none")

	refused := history.Post{Channel: "third", Object: hi, By: ann, Key: "refused"}
	for range 2 {
		_, err := log.Append(context.Background(), refused)
		require.ErrorIs(t, err, history.ErrTooManyOfOwner, "a refusal is not remembered as kept")
	}
	require.Equal(t, "1 2 3 4 5", ids(read(t, log, "chat", history.All(), everything)))
}

// testKeysAtOnce: the same for many posts at the same time.
func testKeysAtOnce(t *testing.T, open Open) {
	log := open(t, history.Options{})
	var all sync.WaitGroup
	var kept atomic.Int64
	for range 50 {
		all.Go(func() {
			receipt, err := log.Append(context.Background(), history.Post{Channel: "chat", Object: hi, By: ann, Key: "k"})
			require.NoError(t, err)
			require.EqualValues(t, 1, receipt.Cursor.ID)
			if !receipt.Repeat {
				kept.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, kept.Load())
}

// testBefore: reading backwards page by page.
func testBefore(t *testing.T, open Open) {
	log := open(t, history.Options{Messages: 8})
	last := add(t, log, "chat", 10)
	at := last
	for _, want := range []string{"8 9 10", "5 6 7", "3 4", ""} {
		page := read(t, log, "chat", history.Before(at), 3)
		require.Equal(t, want, ids(page))
		require.Nil(t, page.Gap)
		require.Equal(t, at, page.Cursor, "where it goes on forward")
		at = page.Start
	}
	page := read(t, log, "chat", history.Back(), 3)
	require.Equal(t, "8 9 10", ids(page))
	require.Equal(t, last, page.Cursor)
	page = read(t, log, "chat", history.After(at), 2)
	require.Equal(t, "3 4", ids(page))
	require.Equal(t, at.ID, page.Start.ID)
	require.Equal(t, history.Restarted, read(t, log, "chat", history.Before(history.Cursor{Epoch: "another", ID: 9}), 3).Gap.Reason)
}

// testChecks: a cursor with the check of another message is noticed. A cursor without a check
// is accepted.
func testChecks(t *testing.T, open Open) {
	log := open(t, history.Options{})
	first := add(t, log, "chat", 1)
	last := add(t, log, "chat", 2)
	require.NotZero(t, last.Check)
	require.Equal(t, last, read(t, log, "chat", history.All(), everything).Cursor)
	for _, cursor := range []history.Cursor{first, last} {
		wrong := cursor
		wrong.Check = wrong.Check%1000 + 1
		page := read(t, log, "chat", history.After(wrong), everything)
		require.Equal(t, &history.Gap{Reason: history.Restarted}, page.Gap)
		require.Equal(t, "1 2 3", ids(page), "from the oldest on")
		wrong.Check = 0
		require.Nil(t, read(t, log, "chat", history.After(wrong), everything).Gap)
		parsed, err := history.ParseCursor(cursor.String())
		require.NoError(t, err)
		require.Equal(t, cursor, parsed)
	}
}
