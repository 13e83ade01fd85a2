package disk

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sort"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// load reads all but the messages into memory, and tidies.
func (l *Log) load() error {
	err := l.db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{messagesBucket, ownedBucket, channelsBucket, keysBucket, keyTimesBucket, epochsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return checkFormat(tx)
	})
	if err != nil {
		return err
	}
	if err := l.mend(); err != nil {
		return err
	}
	err = l.db.View(func(tx *bolt.Tx) error {
		text := tx.Bucket(epochsBucket).Get(epochsKey)
		if text != nil {
			if err := json.Unmarshal(text, &l.epochs); err != nil {
				return err
			}
		}
		err := tx.Bucket(channelsBucket).ForEach(func(name, text []byte) error {
			var c channel
			err := json.Unmarshal(text, &c)
			l.channels[string(name)] = c
			return err
		})
		if err != nil {
			return err
		}
		return tx.Bucket(ownedBucket).ForEach(func(key, weight []byte) error {
			l.owners.Add(ownerOf(key), int(binary.BigEndian.Uint32(weight)))
			return nil
		})
	})
	if err != nil {
		return err
	}
	l.countChannels()
	l.total = l.owners.Total()
	return l.tidy()
}

// countChannels counts the channels with messages, in the order in which they were begun.
func (l *Log) countChannels() {
	byBegun := func(a, b string) int { return cmp.Compare(l.channels[a].Begun, l.channels[b].Begun) }
	for _, name := range slices.SortedFunc(maps.Keys(l.channels), byBegun) {
		if c := l.channels[name]; c.Last > c.Dropped && name != l.options.Home {
			l.began[name] = l.begun.Add(c.By, name, 1)
		}
	}
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
		l.noteReader(q, r)
		return nil
	})
	if err != nil {
		return nil, errors.Join(history.ErrAway, err)
	}
	return page, nil
}

// onlySynced hides messages that are committed but not yet fsynced.
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

// noteEvery is how often a reader in a channel without messages is noted.
const noteEvery = time.Minute

// noteReader notes that a reader has come with a cursor to a channel whose messages have
// left.
func (l *Log) noteReader(q history.Query, r *reader) {
	if q.Since.Kind != history.SinceCursor || q.Since.Epoch != r.Epoch || r.Last == 0 || r.Last > r.Dropped {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, known := l.channels[q.Channel]; known && r.now.Sub(time.UnixMicro(c.Seen)) >= noteEvery {
		l.readers[q.Channel] = r.now
	}
}

// takeReaders returns what noteReader has noted, and clears it.
func (l *Log) takeReaders() map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	readers := l.readers
	l.readers = make(map[string]time.Time)
	return readers
}

// reader reads one channel in a transaction.
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
	if q.Since.Kind == history.SinceBefore {
		return r.pageBack(q)
	}
	after, gap := r.find(q.Since)
	begin := after
	for begin < r.Last && r.entry(begin+1).left() {
		begin++
	}
	if q.Since.Kind == history.SinceCursor {
		gap = gap.Widen(begin - after)
	}
	page := &history.Page{Start: r.cursorAt(begin), Gap: gap, Flood: r.flooded(), LastTime: r.newest()}
	id, bytes := begin, 0
	for ; id < r.Last && len(page.Messages) < q.Limit && !q.Full(bytes); id++ {
		e := r.entry(id + 1)
		if e == nil || e.left() {
			break
		}
		page.Messages = append(page.Messages, e.message(id+1, r.name))
		bytes += len(e)
	}
	page.Cursor = r.cursorAt(id)
	page.More = id < r.Last
	return page
}

// pageBack returns the page of a reader that goes back.
func (r *reader) pageBack(q history.Query) *history.Page {
	end, gap := r.Last, (*history.Gap)(nil)
	if !q.Since.IsBack() {
		end, gap = r.findCursor(q.Since.Cursor())
	}
	for end > r.Dropped && r.entry(end).left() {
		end--
	}
	page := &history.Page{Cursor: r.cursorAt(end), Gap: gap, LastTime: r.newest(), More: end < r.Last}
	id, bytes := end, 0
	for ; id > r.Dropped && len(page.Messages) < q.Limit && !q.Full(bytes); id-- {
		e := r.entry(id)
		if e == nil || e.left() {
			break
		}
		page.Messages = append(page.Messages, e.message(id, r.name))
		bytes += len(e)
	}
	slices.Reverse(page.Messages)
	page.Start = r.cursorAt(id)
	return page
}

func (r *reader) entry(id uint64) entry { return r.messages.Get(key(r.name, id)) }

// newest returns the timestamp of the newest message, zero if there never was one.
func (r *reader) newest() (at time.Time) {
	if r.LastTime > 0 {
		at = r.lastTime()
	}
	return at
}

// expire moves Dropped past the messages that are over the bounds. They are deleted later.
func (r *reader) expire() {
	if most := uint64(r.options.Messages); most > 0 && r.Last > most {
		r.Dropped = max(r.Dropped, r.Last-most)
	}
	if r.options.Age > 0 {
		r.Dropped += uint64(r.search(func(at time.Time) bool { return r.now.Sub(at) < r.options.Age }))
	}
	for r.Dropped < r.Last && r.entry(r.Dropped+1).left() {
		r.Dropped++
	}
}

// search returns how many messages come before the first for which is returns true.
func (r *reader) search(is func(at time.Time) bool) int {
	return sort.Search(int(r.Last-r.Dropped), func(i int) bool {
		e := r.entry(r.Dropped + 1 + uint64(i))
		return e == nil || is(e.time())
	})
}

// cursorAt returns the cursor after an id.
func (r *reader) cursorAt(id uint64) history.Cursor {
	cursor := history.Cursor{Epoch: r.Epoch, ID: id}
	if e := r.entry(id); e != nil {
		cursor.Check = history.CheckOf(e.time())
	} else if id > 0 && id == r.Last {
		cursor.Check = history.CheckOf(r.lastTime())
	}
	return cursor
}

// find returns the id after which a reader goes on, and the gap before it.
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
	e := r.entry(r.Last - history.FloodSample + 1)
	return e != nil && history.IsFlood(r.now.Sub(e.time()))
}
