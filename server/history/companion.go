package history

import (
	"errors"
	"strings"
)

// companion is what the name of a companion ends with. A channel's own name has no colon.
const companion = ":presence"

// ErrCompanion: the name is that of a companion, where a channel is needed. Clients see the
// text.
var ErrCompanion = errors.New("on a channel whose name ends in :presence the server tells who is here: it can be listened to by /sub, and nothing else")

// Companion returns the name of a channel's companion, on which the server tells who comes to
// the channel and goes. Clients cannot post there.
func Companion(channel string) string { return channel + companion }

// IsCompanion tells whether a name is that of a companion.
func IsCompanion(name string) bool { return strings.HasSuffix(name, companion) }

// RoomOf returns the channel of a companion. Any other name is returned as it is.
func RoomOf(name string) string { return strings.TrimSuffix(name, companion) }
