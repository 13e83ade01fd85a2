package history

import (
	"errors"
	"strings"
)

// DefaultChannel is the one that no name stands for: the Python original's.
const DefaultChannel = "chat"

// ErrChannel tells a client that what it sent is no channel's name.
var ErrChannel = errors.New("a channel's name has 1 to 128 of the characters A–Z a–z 0–9 . _ ~ -, and neither . nor .. is one")

// ParseChannel reads a channel's name; "" is the default one. What it returns is a
// copy: the text is often a part of a request that is long, and a name outlives it.
func ParseChannel(text string) (string, error) {
	switch {
	case text == "":
		return DefaultChannel, nil
	case !isChannel(text):
		return "", ErrChannel
	}
	return strings.Clone(text), nil
}

// isChannel tells whether a name needs no escaping in a path and in JSON. Browsers
// take . and .. out of a path.
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
