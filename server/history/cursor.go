package history

import (
	"errors"
	"strconv"
	"strings"
)

// Cursor is a place in a channel's log. Its reader has every message of the epoch up to
// and including ID.
type Cursor struct {
	Epoch string // 1 to 32 of the characters a–z 0–9; within an epoch no id is used twice
	ID    uint64 // of the last message that the reader has; 0 if it has none
}

// String returns the cursor as text: <epoch>-<id>. Clients should not look inside.
func (c Cursor) String() string { return string(c.Append(nil)) }

// Append appends what String returns.
func (c Cursor) Append(b []byte) []byte {
	b = append(append(b, c.Epoch...), '-')
	return strconv.AppendUint(b, c.ID, 10)
}

// ErrCursor: a text is not one that [ParseSince] or [ParseCursor] reads. It is told to
// clients.
var ErrCursor = errors.New("since must be now, all, -N (the last N messages) or a cursor that this server gave you")

// ParseCursor reads what [Cursor.String] returns. Its only error is ErrCursor.
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
