package history

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Cursor is a place in a channel's log. Its reader has every message of the epoch up to and
// including ID.
type Cursor struct {
	Epoch string // 1 to 32 of the characters a–z 0–9; within an epoch no id is used twice
	ID    uint64 // of the last message that the reader has; 0 if it has none
	Check Check  // of the message ID; 0 if unknown
}

// NewEpoch returns a name that no epoch had before: 12 of a–z 2–7, 60 random bits.
func NewEpoch() string { return strings.ToLower(rand.Text()[:12]) }

// Check tells two messages with the same id apart. A log that was set back to an earlier
// state gives new messages the ids of old ones. The check is made of a message's timestamp.
// Two messages have the same one by chance once in a million times.
type Check uint32

// checkDigits are the digits of a check, which has four of 5 bits.
const checkDigits = "abcdefghijklmnopqrstuvwxyz234567"

// CheckOf returns the check of a message with the given timestamp.
func CheckOf(at time.Time) Check {
	const primeBelow = 1<<20 - 3
	return Check(uint64(at.UnixMicro())%primeBelow) + 1
}

// Differs tells whether two checks are certainly of two messages. An unknown check, 0,
// differs from none.
func (c Check) Differs(other Check) bool { return c != 0 && other != 0 && c != other }

// String returns the cursor as text: <epoch>.<check>-<id>, or <epoch>-<id> without a
// check. Clients should not look inside.
func (c Cursor) String() string { return string(c.Append(nil)) }

// Append appends what String returns.
func (c Cursor) Append(b []byte) []byte {
	b = append(b, c.Epoch...)
	if c.Check != 0 {
		b = append(b, '.', checkDigits[c.Check>>15&31], checkDigits[c.Check>>10&31], checkDigits[c.Check>>5&31], checkDigits[c.Check&31])
	}
	return strconv.AppendUint(append(b, '-'), c.ID, 10)
}

// ErrCursor is the error of [ParseSince] and [ParseCursor]. Clients see the text.
var ErrCursor = errors.New("since must be now, all, -N (the last N messages) or a cursor that this server gave you")

// ParseCursor parses the text of [Cursor.String]. Its only error is ErrCursor.
func ParseCursor(text string) (Cursor, error) {
	place, digits, found := strings.Cut(text, "-")
	epoch, checked, hasCheck := strings.Cut(place, ".")
	check, ok := parseCheck(checked)
	if !found || !isEpoch(epoch) || hasCheck && !ok {
		return Cursor{}, ErrCursor
	}
	id, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(id, 10) != digits { // no sign, no leading 0
		return Cursor{}, ErrCursor
	}
	return Cursor{epoch, id, check}, nil
}

// parseCheck parses a check. ok is false for 0, too.
func parseCheck(text string) (check Check, ok bool) {
	for _, digit := range []byte(text) {
		value := strings.IndexByte(checkDigits, digit)
		if value < 0 {
			return 0, false
		}
		check = check<<5 | Check(value)
	}
	return check, len(text) == 4 && check != 0
}

func isEpoch(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 32
}
