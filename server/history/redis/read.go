package redis

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"pubsub/server/history"
)

// kinds are the names of kinds in read.lua.
var kinds = map[history.SinceKind]string{
	history.SinceNow:    "now",
	history.SinceLast:   "last",
	history.SinceCursor: "cursor",
	history.SinceID:     "id",
	history.SinceTime:   "time",
	history.SinceBefore: "before",
}

// maxNumber is the largest number that is exact in a script.
const maxNumber uint64 = 1 << 53

// Read implements [history.Log]. It is always fresh.
func (l *Log) Read(ctx context.Context, q history.Query) (*history.Page, error) {
	said, err := l.ask(ctx, readScript,
		[]string{l.names.log(q.Channel), l.names.meta(q.Channel), l.names.epochs()},
		[]string{kinds[q.Since.Kind], q.Since.Epoch, strconv.FormatUint(min(q.Since.N, maxNumber), 10), strconv.FormatUint(uint64(q.Since.Check), 10), strconv.FormatUint(min(uint64(q.Limit), maxNumber), 10),
			strconv.Itoa(l.options.Messages), micros(l.options.Age), history.NewEpoch(), strconv.Itoa(q.Bytes), seconds(metaStays)})
	if err != nil {
		return nil, err
	}
	return pageOf(q, said)
}

func pageOf(q history.Query, said []rueidis.RedisMessage) (*history.Page, error) {
	epoch, _ := said[0].ToString()
	page := &history.Page{Gap: gapOf(said)}
	if at := numberOf(&said[5]); at > 0 {
		page.LastTime = time.UnixMicro(int64(at)).UTC()
	}
	entries, err := said[6].ToArray()
	if err != nil {
		return nil, err
	}
	page.Start = history.Cursor{Epoch: epoch, ID: numberOf(&said[1]), Check: checkAt(numberOf(&said[7]))}
	page.Cursor = history.Cursor{Epoch: epoch, ID: numberOf(&said[9]), Check: checkAt(numberOf(&said[10]))}
	for i := 0; i+2 < len(entries); i += 3 {
		at := time.UnixMicro(int64(numberOf(&entries[i+1]))).UTC()
		object, err := entries[i+2].ToString()
		if err != nil {
			return nil, err
		}
		page.Messages = append(page.Messages, history.NewMessage(numberOf(&entries[i]), at, q.Channel, []byte(object)))
	}
	if q.Since.Kind == history.SinceBefore {
		slices.Reverse(page.Messages)
	}
	page.More = page.Cursor.ID < numberOf(&said[4])
	if ago, err := said[8].ToString(); err == nil && ago != "-1" && q.Since.Kind != history.SinceBefore {
		us, _ := strconv.ParseInt(ago, 10, 64)
		page.Flood = history.IsFlood(time.Duration(us) * time.Microsecond)
	}
	return page, nil
}

func checkAt(us uint64) history.Check {
	if us == 0 {
		return 0
	}
	return history.CheckOf(time.UnixMicro(int64(us)))
}

func gapOf(said []rueidis.RedisMessage) *history.Gap {
	reason, _ := said[2].ToString()
	if reason == "" {
		return nil
	}
	return &history.Gap{Reason: reason, Missed: numberOf(&said[3])}
}

// SetBack gives a channel a new epoch, if the channel still has the given one. Readers are
// then told that the channel was restarted.
func (l *Log) SetBack(ctx context.Context, channel, epoch string) error {
	_, err := l.call(ctx, setBackScript, []string{l.names.meta(channel)}, []string{epoch, history.NewEpoch()})
	return err
}
