package memory

import (
	"cmp"
	"slices"
	"time"

	"pubsub/server/history"
)

// page returns at most limit messages of the channel after a place. isLogEpoch tells whether
// an epoch is the log's own: a cursor in it is from before the channel's first message. mu is
// held.
func (c *channel) page(since history.Since, limit int, isLogEpoch func(string) bool, now time.Time) *history.Page {
	if since.Kind == history.SinceBefore {
		return c.pageBefore(since, limit, isLogEpoch)
	}
	after, gap := c.find(since, isLogEpoch)
	rest := c.entries[after-c.dropped():]
	skipped := 0
	for skipped < len(rest) && rest[skipped].evicted() {
		skipped++
	}
	if since.Kind == history.SinceCursor {
		gap = gap.Widen(uint64(skipped))
	}
	after, rest = after+uint64(skipped), rest[skipped:]
	n := 0
	for n < min(len(rest), limit) && !rest[n].evicted() {
		n++
	}
	return &history.Page{
		Messages: messagesOf(rest[:n]), Start: c.cursorAt(after), Cursor: c.cursorAt(after + uint64(n)),
		More: n < len(rest), Gap: gap, Flood: c.flooded(now), LastTime: c.lastTime,
	}
}

// pageBefore returns the last messages up to a place, at most limit. mu is held.
func (c *channel) pageBefore(before history.Since, limit int, isLogEpoch func(string) bool) *history.Page {
	up, gap := c.last, (*history.Gap)(nil)
	if !before.IsBack() {
		up, gap = c.findCursor(before.Cursor(), isLogEpoch)
	}
	rest := c.entries[:up-c.dropped()]
	for len(rest) > 0 && rest[len(rest)-1].evicted() {
		rest = rest[:len(rest)-1]
	}
	n := 0
	for n < min(len(rest), limit) && !rest[len(rest)-1-n].evicted() {
		n++
	}
	end := c.dropped() + uint64(len(rest))
	return &history.Page{
		Messages: messagesOf(rest[len(rest)-n:]), Start: c.cursorAt(end - uint64(n)), Cursor: c.cursorAt(end),
		More: end < c.last, Gap: gap, LastTime: c.lastTime,
	}
}

// cursorAt returns the cursor after an id. mu is held.
func (c *channel) cursorAt(id uint64) history.Cursor {
	cursor := history.Cursor{Epoch: c.epoch, ID: id}
	switch dropped := c.dropped(); {
	case id > dropped:
		cursor.Check = history.CheckOf(c.entries[id-dropped-1].Time)
	case id == c.last && !c.lastTime.IsZero():
		cursor.Check = history.CheckOf(c.lastTime)
	}
	return cursor
}

func messagesOf(entries []*entry) []history.Message {
	if len(entries) == 0 {
		return nil
	}
	messages := make([]history.Message, len(entries))
	for i, e := range entries {
		messages[i] = e.Message
	}
	return messages
}

// find returns the id after which a reader begins, and a gap if some messages after since
// have left. The id is at least dropped. mu is held.
func (c *channel) find(since history.Since, isLogEpoch func(string) bool) (after uint64, gap *history.Gap) {
	switch dropped := c.dropped(); since.Kind {
	case history.SinceLast:
		return c.last - min(since.N, uint64(len(c.entries))), nil
	case history.SinceID:
		if since.N > c.last {
			return dropped, nil
		}
		return max(since.N, dropped), nil
	case history.SinceTime:
		return dropped + c.upTo(time.UnixMicro(int64(since.N))), nil
	case history.SinceCursor:
		return c.findCursor(since.Cursor(), isLogEpoch)
	}
	return c.last, nil
}

// upTo returns how many entries are not newer than a time. mu is held.
func (c *channel) upTo(at time.Time) uint64 {
	n, _ := slices.BinarySearchFunc(c.entries, at, func(e *entry, at time.Time) int {
		return cmp.Or(e.Time.Compare(at), -1) // an entry of the same time comes before the place
	})
	return uint64(n)
}

// findCursor is find for a cursor. mu is held.
func (c *channel) findCursor(cursor history.Cursor, isLogEpoch func(string) bool) (after uint64, gap *history.Gap) {
	dropped, ofLog := c.dropped(), isLogEpoch(cursor.Epoch)
	switch {
	case cursor.Epoch != c.epoch && !ofLog, ofLog && cursor.ID != c.before,
		cursor.ID <= c.last && cursor.ID >= dropped && !ofLog && cursor.Check.Differs(c.cursorAt(cursor.ID).Check):
		return dropped, &history.Gap{Reason: history.Restarted}
	case cursor.ID > c.last:
		return dropped, &history.Gap{Reason: history.Ahead}
	case cursor.ID < dropped:
		return dropped, &history.Gap{Reason: history.Expired, Missed: dropped - cursor.ID}
	}
	return cursor.ID, nil
}

// flooded tells whether the newest messages came at history.FloodRate or faster. mu is held.
func (c *channel) flooded(now time.Time) bool {
	few := len(c.entries) - history.FloodSample
	return few >= 0 && history.IsFlood(now.Sub(c.entries[few].at))
}
