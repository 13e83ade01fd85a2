package history

import (
	"strconv"
	"strings"
	"time"
)

// Since is where a reader begins. The zero value is [Now].
type Since struct {
	Kind  SinceKind
	Epoch string // of a cursor, otherwise empty
	N     uint64 // by the kind: a number of messages, an id, or microseconds since 1970
	Check Check  // of a cursor
}

// SinceKind is how a [Since] is given.
type SinceKind int

// The kinds, each with the function that makes it.
const (
	SinceNow    SinceKind = iota // [Now]
	SinceLast                    // [Last]
	SinceCursor                  // [After]
	SinceID                      // [AfterID]
	SinceTime                    // [AfterTime]
	SinceBefore                  // [Before]
)

// Now begins after the newest message.
func Now() Since { return Since{} }

// All begins with the oldest message that the log still has.
func All() Since { return Last(1<<63 - 1) }

// Last begins with the newest n messages, or with all if there are fewer.
func Last(n uint64) Since { return Since{Kind: SinceLast, N: n} }

// After begins after a cursor. With it and with [Before] the page may have a [Gap].
func After(c Cursor) Since { return Since{SinceCursor, c.Epoch, c.ID, c.Check} }

// Before goes back: it is up to a cursor, as many messages as the limit allows.
func Before(c Cursor) Since { return Since{SinceBefore, c.Epoch, c.ID, c.Check} }

// Cursor returns the cursor of a Since that [After] or [Before] made.
func (s Since) Cursor() Cursor { return Cursor{s.Epoch, s.N, s.Check} }

// AfterID begins after an id, for readers that keep no epoch. An id that is higher than
// the newest message's begins with the oldest message, since the log has begun anew.
func AfterID(id uint64) Since { return Since{Kind: SinceID, N: id} }

// AfterTime begins with the first message whose timestamp is after at.
func AfterTime(at time.Time) Since { return Since{Kind: SinceTime, N: uint64(at.UnixMicro())} }

// ParseSince reads the field since of a request: now, all, -N for the last N messages, or
// a cursor. Its only error is ErrCursor.
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
