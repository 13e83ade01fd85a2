package history

import (
	"errors"
	"strings"
)

// companion is behind the name of a channel in that of its companion. No channel has a
// colon in its name.
const companion = ":presence"

// ErrCompanion: a text is the name of a companion, and that of a channel is wanted. It is
// told to clients.
var ErrCompanion = errors.New("on a channel whose name ends in :presence the server tells who is here: it can be listened to by /sub, and nothing else")

// Companion is the name of the channel on which the server tells who comes and goes on
// another. Nobody can post there.
func Companion(channel string) string { return channel + companion }

// IsCompanion tells whether a name is that of a companion.
func IsCompanion(name string) bool { return strings.HasSuffix(name, companion) }

// RoomOf is the channel whose companion a name is; of another name it is the name itself.
func RoomOf(name string) string { return strings.TrimSuffix(name, companion) }
