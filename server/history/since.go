package history

import (
	"strconv"
	"strings"
	"time"
)

// Since is where a reader wants to begin. The zero value is Now.
type Since struct {
	Kind  SinceKind
	Epoch string // of a cursor
	N     uint64 // messages, an id, or microseconds since 1970, by the kind
}

// SinceKind tells what a [Since] goes by.
type SinceKind int

// The kinds, each with the function that makes it.
const (
	SinceNow    SinceKind = iota // [Now]
	SinceLast                    // [Last]
	SinceCursor                  // [After]
	SinceID                      // [AfterID]
	SinceTime                    // [AfterTime]
)

// Now begins after the newest message: only what comes.
func Now() Since { return Since{} }

// All begins with the oldest message that is still there.
func All() Since { return Last(1<<63 - 1) }

// Last begins with the newest n messages, or as many as there are.
func Last(n uint64) Since { return Since{Kind: SinceLast, N: n} }

// After begins after a cursor; what it missed is told as a [Gap].
func After(c Cursor) Since { return Since{Kind: SinceCursor, Epoch: c.Epoch, N: c.ID} }

// Cursor is that of [After].
func (s Since) Cursor() Cursor { return Cursor{Epoch: s.Epoch, ID: s.N} }

// AfterID begins after an id of whatever epoch the log is in: for readers that
// keep no epoch. An id ahead of the log begins with the oldest message.
func AfterID(id uint64) Since { return Since{Kind: SinceID, N: id} }

// AfterTime begins after the last message that is not newer than at.
func AfterTime(at time.Time) Since { return Since{Kind: SinceTime, N: uint64(at.UnixMicro())} }

// ParseSince reads the since of a request: now, all, -N, or a cursor.
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
