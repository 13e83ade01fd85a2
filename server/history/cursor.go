package history

import (
	"errors"
	"strconv"
	"strings"
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
