package poll

import (
	"net/netip"
	"slices"
	"time"

	"pubsub/server/history"
)

// reader is somebody who reads a channel by polls that say nothing of what they have. At
// any time it belongs to one poll, or to none: then it is free. readers.mu guards it.
type reader struct {
	alike      *alike
	cursor     history.Cursor // it has everything up to here; zero if it was given nothing yet
	connection uint64         // on which its last poll came, see connectionOf
	free       bool
	freeSince  time.Time
	answered   bool // its last poll was, and did not hang up
}

// since is where a reader's next poll begins: after what it was given last, and at the
// next message if it was given nothing.
func (r *reader) since() history.Since {
	if r.cursor.Epoch == "" {
		return history.Now()
	}
	return history.After(r.cursor)
}

// fits tells whether r is rather than other the reader of a poll on a connection. Who has
// hung up may not come back. Where the connection tells nothing, it is the one further
// behind: the one ahead asked last, and has most likely got its answer only now.
func (r *reader) fits(other *reader, connection uint64) bool {
	if r.answered != other.answered {
		return r.answered
	}
	if here := r.connection == connection; here != (other.connection == connection) {
		return here
	}
	return r.cursor.ID < other.cursor.ID // of two epochs, which is rare, either
}

// alike are the free readers of one channel whose polls nothing tells apart for sure.
// readers.mu guards it.
type alike struct {
	id      identity
	address netip.Addr
	free    []*reader // the one that is free for longest first
}

// take removes the reader whom a poll on a connection fits best; nil if none is free.
func (a *alike) take(connection uint64) *reader {
	if len(a.free) == 0 {
		return nil
	}
	best := 0
	for i, r := range a.free {
		if r.fits(a.free[best], connection) {
			best = i
		}
	}
	r := a.free[best]
	a.free = slices.Delete(a.free, best, best+1)
	return r
}

// add adds a reader that is free now. If there are too many, the one that is free for
// longest is forgotten.
func (a *alike) add(r *reader) {
	if len(a.free) == readersAlike {
		a.free = slices.Delete(a.free, 0, 1)
	}
	a.free = append(a.free, r)
}

// forget forgets the readers that are free since a time, or for longer.
func (a *alike) forget(since time.Time) {
	n := 0
	for n < len(a.free) && !a.free[n].freeSince.After(since) {
		n++
	}
	a.free = slices.Delete(a.free, 0, n)
}
