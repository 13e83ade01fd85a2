package history

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Cursor says "I have everything up to here": a place in one epoch of a
// channel's log.
type Cursor struct {
	Epoch string // 1–32 of a–z 0–9
	ID    uint64 // of the last message that the reader has, 0 before the first
}

// String is the cursor's text, opaque to clients: <epoch>-<id>.
func (c Cursor) String() string { return string(c.Append(nil)) }

// Append appends the cursor's text.
func (c Cursor) Append(b []byte) []byte {
	b = append(append(b, c.Epoch...), '-')
	return strconv.AppendUint(b, c.ID, 10)
}

// ErrCursor tells a client that what it sent is no cursor.
var ErrCursor = errors.New("since must be now, all, -N (the last N messages) or a cursor that this server gave you")

// ParseCursor reads what String wrote.
func ParseCursor(text string) (Cursor, error) {
	epoch, digits, found := strings.Cut(text, "-")
	if !found || !isEpoch(epoch) {
		return Cursor{}, ErrCursor
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(id, 10) != digits { // no sign, no leading 0
		return Cursor{}, ErrCursor
	}
	return Cursor{Epoch: epoch, ID: id}, nil
}

func isEpoch(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 32
}

// Since is where a reader wants to begin. The zero value is Now.
type Since struct {
	kind  sinceKind
	epoch string // of a cursor
	n     uint64 // messages, an id, or microseconds since 1970, by the kind
}

type sinceKind int

const (
	sinceNow sinceKind = iota
	sinceLast
	sinceCursor
	sinceID
	sinceTime
)

// Now begins after the newest message: only what comes.
func Now() Since { return Since{} }

// All begins with the oldest message that is still there.
func All() Since { return Last(1<<63 - 1) }

// Last begins with the newest n messages, or as many as there are.
func Last(n uint64) Since { return Since{kind: sinceLast, n: n} }

// After begins after a cursor; what it missed is told as a [Gap].
func After(c Cursor) Since { return Since{kind: sinceCursor, epoch: c.Epoch, n: c.ID} }

// Cursor is that of [After].
func (s Since) Cursor() Cursor { return Cursor{Epoch: s.epoch, ID: s.n} }

// AfterID begins after an id of whatever epoch the log is in: for readers that
// keep no epoch. An id ahead of the log begins with the oldest message.
func AfterID(id uint64) Since { return Since{kind: sinceID, n: id} }

// AfterTime begins after the last message that is not newer than at.
func AfterTime(at time.Time) Since { return Since{kind: sinceTime, n: uint64(at.UnixMicro())} }

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
