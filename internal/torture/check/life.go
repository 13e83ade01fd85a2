package check

import "slices"

// life is what is known of a channel's log from one beginning to the next: an epoch.
type life struct {
	number    int              // 0 for the channel's first, 1 for the second, …
	at        map[uint64]*post // who has an id: the first that was acknowledged or read with it
	rivals    map[uint64][]*post
	lastAcked uint64

	// setBack: a reader was told that the log began anew, and the epoch stayed as it was,
	// or the new log has messages of this one under their ids. Such a log was restored to
	// an earlier state, and may have given ids away a second time.
	setBack bool
	doubts  faults // faults, unless the log was set back
}

func (ch *channel) log(epoch string) *life {
	l := ch.logs[epoch]
	if l == nil {
		l = &life{number: len(ch.logs), at: make(map[uint64]*post), rivals: make(map[uint64][]*post), doubts: make(faults)}
		ch.logs[epoch] = l
	}
	return l
}

// put notes that a post was acknowledged or read with an id. It returns another post
// that had the id before, and nil if there is none.
func (l *life) put(id uint64, p *post) (rival *post) {
	l.place(id, p)
	owner := l.at[id]
	switch {
	case owner == nil:
		l.at[id] = p
	case owner != p:
		l.contend(id, p, owner)
		return owner
	}
	return nil
}

// place compares the id with those that the post has in this log already.
func (l *life) place(id uint64, p *post) {
	before := p.in(l)
	if slices.Contains(p.places, (placed{l, id})) {
		return
	}
	p.places = append(p.places, placed{l, id})
	switch {
	case before != 0 && p.tries > 1:
		l.doubts.add(Repeated, "post %d in %s was sent %d times with one key, and has the ids %d and %d", p.number, p.channel, p.tries, before, id)
	case before != 0:
		l.doubts.add(Doubled, "post %d in %s was sent once, and has the ids %d and %d", p.number, p.channel, before, id)
	}
}

// contend notes that a second post has an id. Each such pair counts once.
func (l *life) contend(id uint64, p, owner *post) {
	if slices.Contains(l.rivals[id], p) {
		return
	}
	l.rivals[id] = append(l.rivals[id], p)
	l.doubts.add(TwoContents, "id %d in %s is post %d, and also post %d", id, p.channel, owner.number, p.number)
}

// holds tells whether an acknowledged post has the id.
func (l *life) holds(id uint64) bool { return l.at[id] != nil && l.at[id].acked > 0 }
