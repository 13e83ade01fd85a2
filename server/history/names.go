package history

import (
	"errors"
	"slices"
	"strings"
)

// DefaultChannel is the channel of requests that name none, like those to the Python
// original.
const DefaultChannel = "chat"

// ErrChannel: a text is not the name of a channel. Clients see the text.
var ErrChannel = errors.New("a channel's name has 1 to 128 of the characters A–Z a–z 0–9 . _ ~ -, and neither . nor .. is one")

// ParseChannel parses the name of a channel; "" is [DefaultChannel]. Its errors are
// ErrChannel and ErrCompanion. It returns a copy, because names are kept for long, and would
// keep the whole request in memory.
func ParseChannel(text string) (string, error) {
	switch {
	case text == "":
		return DefaultChannel, nil
	case isReadable(text) && IsCompanion(text):
		return "", ErrCompanion
	case !isChannel(text):
		return "", ErrChannel
	}
	return strings.Clone(text), nil
}

// Bounds of the names in one request.
const (
	maxNames      = 64
	maxNamesBytes = 2 << 10
)

// ErrChannels: too many channels are named, or one of them twice. Clients see the text.
var ErrChannels = errors.New("a request may name at most 64 channels in 2048 characters, each of them once")

// ParseChannels parses names of channels to read, with commas between them; "" is
// [DefaultChannel]. Each may be a companion. Its errors are ErrChannel and ErrChannels. It
// returns copies, see ParseChannel.
func ParseChannels(text string) ([]string, error) {
	if len(text) > maxNamesBytes || strings.Count(text, ",") >= maxNames {
		return nil, ErrChannels
	}
	names := strings.Split(strings.Clone(text), ",")
	if text == "" {
		names[0] = DefaultChannel
	}
	for i, name := range names {
		if !isReadable(name) {
			return nil, ErrChannel
		}
		if slices.Contains(names[:i], name) {
			return nil, ErrChannels
		}
	}
	return names, nil
}

// isReadable tells whether a name is that of a channel or of a companion.
func isReadable(name string) bool {
	room := RoomOf(name)
	return room != "" && isChannel(room)
}

// isChannel tells whether a name is that of a channel. Its characters need no escaping in a
// path or in JSON. Neither . nor .. is a name, because browsers remove them from a path.
func isChannel(name string) bool {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '~', c == '-':
		default:
			return false
		}
	}
	return len(name) <= 128 && name != "." && name != ".."
}
