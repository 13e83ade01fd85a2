package disk

import (
	"context"
	"encoding/json"
	"errors"
	"sort"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// load reads what is known of the channels.
func (l *Log) load() error {
	err := l.db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{messagesBucket, channelsBucket, keysBucket, keyTimesBucket, epochsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return checkFormat(tx)
	})
	if err != nil {
		return err
	}
	err = l.db.View(func(tx *bolt.Tx) error {
		text := tx.Bucket(epochsBucket).Get(epochsKey)
		if text != nil {
			if err := json.Unmarshal(text, &l.epochs); err != nil {
				return err
			}
		}
		return tx.Bucket(channelsBucket).ForEach(func(name, text []byte) error {
			var c channel
			if err := json.Unmarshal(text, &c); err != nil {
				return err
			}
			l.channels[string(name)] = c
			l.inUse += c.counts()
			l.bytes.Add(string(name), c.Bytes)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return l.update((*batch).tidy)
}

// Read implements [history.Log].
func (l *Log) Read(_ context.Context, q history.Query) (page *history.Page, err error) {
	err = l.db.View(func(tx *bolt.Tx) error {
		r := &reader{name: q.Channel, messages: tx.Bucket(messagesBucket), options: &l.options, now: time.Now()}
		if text := tx.Bucket(channelsBucket).Get([]byte(q.Channel)); text != nil {
			if err := json.Unmarshal(text, &r.channel); err != nil {
				return err
			}
		}
		l.onlySynced(r)
		page = r.page(q)
		return nil
	})
	if err != nil {
		return nil, errors.Join(history.ErrAway, err)
	}
	return page, nil
}

// onlySynced takes from a reader what the transaction has and a power cut might take.
func (l *Log) onlySynced(r *reader) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	r.epochs = l.epochs
	synced, known := l.channels[r.name]
	switch {
	case !known:
		r.channel = channel{Epoch: r.epochs.Now}
	case r.Last > synced.Last:
		r.Last, r.LastTime = synced.Last, synced.LastTime
	}
}

// reader reads one channel.
type reader struct {
	channel
	name     string
	messages *bolt.Bucket
	epochs   epochs
	options  *history.Options
	now      time.Time
}

func (r *reader) page(q history.Query) *history.Page {
	r.expire()
	after, gap := r.find(q.Since)
	upTo := r.Last
	if q.Since.Kind == history.SinceBefore {
		upTo = after
		after = max(r.Dropped, upTo-min(upTo, uint64(q.Limit)))
	}
	page := &history.Page{Start: r.cursorAt(after), Cursor: r.cursorAt(after), Gap: gap, Flood: r.flooded()}
	if r.LastTime > 0 {
		page.LastTime = r.lastTime()
	}
	cursor := r.messages.Cursor()
	id, bytes := after+1, 0
	for _, entry := cursor.Seek(key(r.name, id)); id <= upTo && len(page.Messages) < q.Limit && entry != nil && !q.Full(bytes); _, entry = cursor.Next() {
		page.Messages = append(page.Messages, message(id, r.name, entry))
		bytes += len(entry)
		id++
	}
	if n := len(page.Messages); n > 0 {
		page.Cursor = r.cursorAt(after + uint64(n))
	}
	page.More = page.Cursor.ID < r.Last
	return page
}

// expire moves Dropped past what is over the bounds by now: it is deleted later.
func (r *reader) expire() {
	if most := uint64(r.options.Messages); most > 0 && r.Last > most {
		r.Dropped = max(r.Dropped, r.Last-most)
	}
	if r.options.Age > 0 {
		r.Dropped += uint64(r.search(func(at time.Time) bool { return r.now.Sub(at) < r.options.Age }))
	}
}

// search is how many messages there are before the first for which is holds.
func (r *reader) search(is func(at time.Time) bool) int {
	return sort.Search(int(r.Last-r.Dropped), func(i int) bool {
		entry := r.messages.Get(key(r.name, r.Dropped+1+uint64(i)))
		return entry == nil || is(timeOf(entry))
	})
}

// cursorAt is the place behind an id.
func (r *reader) cursorAt(id uint64) history.Cursor {
	cursor := history.Cursor{Epoch: r.Epoch, ID: id}
	if entry := r.messages.Get(key(r.name, id)); entry != nil {
		cursor.Check = history.CheckOf(timeOf(entry))
	} else if id > 0 && id == r.Last {
		cursor.Check = history.CheckOf(r.lastTime())
	}
	return cursor
}

// find returns the id after which a reader goes on, and what it cannot have.
func (r *reader) find(since history.Since) (after uint64, gap *history.Gap) {
	switch since.Kind {
	case history.SinceLast:
		return max(r.Dropped, r.Last-min(r.Last, since.N)), nil
	case history.SinceID:
		if since.N > r.Last {
			return r.Dropped, nil
		}
		return max(since.N, r.Dropped), nil
	case history.SinceTime:
		at := time.UnixMicro(int64(since.N))
		return r.Dropped + uint64(r.search(func(t time.Time) bool { return t.After(at) })), nil
	case history.SinceCursor, history.SinceBefore:
		return r.findCursor(since.Cursor())
	}
	return r.Last, nil
}

func (r *reader) findCursor(cursor history.Cursor) (after uint64, gap *history.Gap) {
	ofLog := cursor.Epoch == r.epochs.Now || cursor.Epoch == r.epochs.Before
	differs := cursor.ID <= r.Last && cursor.Check.Differs(r.cursorAt(cursor.ID).Check)
	switch {
	case cursor.Epoch != r.Epoch && !ofLog, ofLog && cursor.ID != 0, differs:
		return r.Dropped, &history.Gap{Reason: history.Restarted}
	case cursor.ID > r.Last:
		return r.Dropped, &history.Gap{Reason: history.Ahead}
	case cursor.ID < r.Dropped:
		return r.Dropped, &history.Gap{Reason: history.Expired, Missed: r.Dropped - cursor.ID}
	}
	return cursor.ID, nil
}

func (r *reader) flooded() bool {
	if r.Last-r.Dropped < history.FloodSample {
		return false
	}
	entry := r.messages.Get(key(r.name, r.Last-history.FloodSample+1))
	return entry != nil && history.IsFlood(r.now.Sub(timeOf(entry)))
}
