package poll

import (
	"slices"
	"sync"

	"pubsub/server/history"
)

const lastReadChannels = 16 // of which one client's cursors are remembered

// lastRead is up to where one client has read each channel. Only the 16 channels that it
// was given a message of last are remembered. Its zero value is empty.
type lastRead struct {
	mu      sync.Mutex
	cursors []channelCursor // the one set last at the end
}

type channelCursor struct {
	channel string
	cursor  history.Cursor
}

// of returns a channel's cursor.
func (l *lastRead) of(channel string) (cursor history.Cursor, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.index(channel); at >= 0 {
		return l.cursors[at].cursor, true
	}
	return history.Cursor{}, false
}

// index finds a channel, -1 if it is not there. mu is held.
func (l *lastRead) index(channel string) int {
	return slices.IndexFunc(l.cursors, func(c channelCursor) bool { return c.channel == channel })
}

// set remembers a channel's cursor, and returns how many bytes all cursors take. Within
// an epoch a cursor only goes forward, because of two polls at the same time the one with
// the older message may end last.
func (l *lastRead) set(channel string, cursor history.Cursor) (bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.index(channel); at >= 0 {
		if known := l.cursors[at].cursor; known.Epoch == cursor.Epoch && known.ID > cursor.ID {
			cursor = known
		}
		l.cursors = slices.Delete(l.cursors, at, at+1)
	} else if len(l.cursors) == lastReadChannels {
		l.cursors = slices.Delete(l.cursors, 0, 1)
	}
	l.cursors = append(l.cursors, channelCursor{channel, cursor})
	for _, c := range l.cursors {
		bytes += 64 + len(c.channel) + len(c.cursor.Epoch)
	}
	return bytes
}
