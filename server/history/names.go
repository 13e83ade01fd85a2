package history

import (
	"errors"
	"strings"
)

// DefaultChannel is the channel of requests that name none, as those to the Python
// original.
const DefaultChannel = "chat"

// ErrChannel: a text is not the name of a channel. It is told to clients.
var ErrChannel = errors.New("a channel's name has 1 to 128 of the characters A–Z a–z 0–9 . _ ~ -, and neither . nor .. is one")

// ParseChannel reads the name of a channel; "" is [DefaultChannel]. Its only error is
// ErrChannel. It returns a copy: a name is kept for long, and the text is often part of a
// request, all of which would stay in memory with it.
func ParseChannel(text string) (string, error) {
	switch {
	case text == "":
		return DefaultChannel, nil
	case !isChannel(text):
		return "", ErrChannel
	}
	return strings.Clone(text), nil
}

// isChannel tells whether a text is a channel's name. Its characters need no escaping in
// a path or in JSON. Neither . nor .. is a name, because browsers remove them from a
// path.
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
