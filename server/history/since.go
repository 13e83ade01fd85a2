package history

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Since is a place where a reader begins. The zero value is [Now].
type Since struct {
	Kind  SinceKind
	Epoch string // of a cursor, otherwise ""
	N     uint64 // depends on Kind: a number of messages, an id, or microseconds since 1970
	Check Check  // of a cursor
}

// SinceKind is the form of a [Since].
type SinceKind int

// The kinds, each with the function that makes it.
const (
	SinceNow    SinceKind = iota // [Now]
	SinceLast                    // [Last]
	SinceCursor                  // [After]
	SinceID                      // [AfterID]
	SinceTime                    // [AfterTime]
	SinceBefore                  // [Before] and [Back]
)

// Now begins after the newest message.
func Now() Since { return Since{} }

// All begins with the oldest message in the log.
func All() Since { return Last(1<<63 - 1) }

// Last begins with the newest n messages, or with all if there are fewer. Messages that have
// left from between others count, too.
func Last(n uint64) Since { return Since{Kind: SinceLast, N: n} }

// After begins after a cursor. The page may have a [Gap], as with [Before].
func After(c Cursor) Since { return Since{SinceCursor, c.Epoch, c.ID, c.Check} }

// Before reads back from a cursor: the page has the last messages up to it.
func Before(c Cursor) Since { return Since{SinceBefore, c.Epoch, c.ID, c.Check} }

// Back reads back from the newest message.
func Back() Since { return Since{Kind: SinceBefore} }

// IsBack tells whether [Back] made s. With [Before] it has an epoch.
func (s Since) IsBack() bool { return s.Kind == SinceBefore && s.Epoch == "" }

// Cursor returns the cursor of a Since of [After] or [Before].
func (s Since) Cursor() Cursor { return Cursor{s.Epoch, s.N, s.Check} }

// AfterID begins after an id, for readers that keep no epoch. If the id is higher than that
// of the newest message, the log has begun anew, and the reader begins with the oldest one.
func AfterID(id uint64) Since { return Since{Kind: SinceID, N: id} }

// AfterTime begins with the first message whose timestamp is after at.
func AfterTime(at time.Time) Since { return Since{Kind: SinceTime, N: uint64(at.UnixMicro())} }

// ErrSeveral is an error of [ParseSinces]. Clients see the text.
var ErrSeveral = errors.New("for several channels since must have a place for each, in their order and with commas between them, or be now, all or -N for all of them")

// ParseSinces parses the field since of a request for n channels: one text of [ParseSince]
// for each, with commas between them. A single one that is no cursor is for all channels. The
// errors are ErrCursor and ErrSeveral.
func ParseSinces(text string, n int) ([]Since, error) {
	all := make([]Since, 0, n)
	for one := range strings.SplitSeq(text, ",") {
		since, err := ParseSince(one)
		if err != nil {
			return nil, err
		}
		if all = append(all, since); len(all) > n {
			return nil, ErrSeveral
		}
	}
	if len(all) == 1 && all[0].Kind != SinceCursor {
		for len(all) < n {
			all = append(all, all[0])
		}
	}
	if len(all) != n {
		return nil, ErrSeveral
	}
	return all, nil
}

// ParseSince parses the field since of a request: now, all, -N for the last N messages, or a
// cursor. Its only error is ErrCursor.
func ParseSince(text string) (Since, error) {
	switch {
	case text == "now":
		return Now(), nil
	case text == "all":
		return All(), nil
	case strings.HasPrefix(text, "-"):
		n, err := strconv.ParseUint(text[1:], 10, 63)
		if err != nil {
			return Since{}, ErrCursor
		}
		return Last(n), nil
	}
	c, err := ParseCursor(text)
	return After(c), err
}
