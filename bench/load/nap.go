package load

import (
	"slices"
	"time"
)

// napFirst lets a client that asks now and then wait for its first poll. All
// of them are spread over the time between two polls.
func (l *loop) napFirst(i int) {
	l.clients[i].next = time.Now().Add(l.config.Every * time.Duration(i) / time.Duration(len(l.clients)))
	l.nap(i)
}

// nap lets a client wait until it is due: a whole number of times config.Every
// after its first poll.
func (l *loop) nap(i int) {
	c := &l.clients[i]
	if late := time.Since(c.next); late > 0 {
		c.next = c.next.Add((late/l.config.Every + 1) * l.config.Every)
	}
	place, _ := slices.BinarySearchFunc(l.naps, c.next, func(other int, at time.Time) int {
		return l.clients[other].next.Compare(at)
	})
	l.naps = slices.Insert(l.naps, place, i)
}

// pollDue polls for those whose time has come.
func (l *loop) pollDue() {
	for len(l.naps) > 0 && !time.Now().Before(l.clients[l.naps[0]].next) {
		i := l.naps[0]
		l.naps = l.naps[1:]
		if err := l.poll(i); err != nil {
			l.lost(i, "a connection was lost: "+err.Error())
		}
	}
}
