package historytest

import (
	"testing"
	"time"

	"pubsub/server/history"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// testModel compares the log with the simplest one: a slice that keeps everything, to which
// the two bounds are applied when it is read.
func testModel(t *testing.T, open Open) {
	noDeadline := struct{ rapid.TB }{t} // in a bubble T.Deadline panics
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
				pass(time.Duration(rapid.IntRange(1, 2000).Draw(r, "ms")) * time.Millisecond)
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
