package poll

import (
	"net/netip"
	"slices"
	"time"

	"pubsub/server/history"
)

// reader stands for a client that reads a channel by polls without a cursor. At any time it
// belongs to one poll, or it is free. readers.mu guards it.
type reader struct {
	alike      *alike
	cursor     history.Cursor // the client has everything up to here; zero if it was given nothing yet
	connection uint64         // of its last poll, see connectionOf
	free       bool
	freeSince  time.Time
	answered   bool // the last poll was answered, and its client did not hang up
}

// since returns where the next poll begins: after the cursor, or at the next message if the
// reader was given nothing.
func (r *reader) since() history.Since {
	if r.cursor.Epoch == "" {
		return history.Now()
	}
	return history.After(r.cursor)
}

// fits tells whether a poll on a connection is more likely r's than other's. A client that
// has hung up may not come back, so an answered reader comes first, then one of the same
// connection. Otherwise it is the one further behind: the one ahead asked last, and has most
// likely got its answer only now.
func (r *reader) fits(other *reader, connection uint64) bool {
	if r.answered != other.answered {
		return r.answered
	}
	if here := r.connection == connection; here != (other.connection == connection) {
		return here
	}
	return r.cursor.ID < other.cursor.ID // readers of two epochs are rare, and either will do
}

// alike is the set of free readers of a channel that have the same identity. readers.mu
// guards it.
type alike struct {
	id      identity
	address netip.Addr
	free    []*reader // sorted by freeSince
}

// take removes the free reader that fits a poll on a connection best; nil if there is none.
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

// add adds a reader that has become free. If there are too many, the one that is free for
// longest is dropped.
func (a *alike) add(r *reader) {
	if len(a.free) == readersAlike {
		a.free = slices.Delete(a.free, 0, 1)
	}
	a.free = append(a.free, r)
}

// forget drops the readers that have been free since a time or longer.
func (a *alike) forget(since time.Time) {
	n := 0
	for n < len(a.free) && !a.free[n].freeSince.After(since) {
		n++
	}
	a.free = slices.Delete(a.free, 0, n)
}
