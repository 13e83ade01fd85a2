package memory

import (
	"container/list"
	"time"
)

const (
	dormantFor   = 24 * time.Hour
	dormantBytes = 64 << 20 // of all dormant channels
	dormantEntry = 256      // bytes of one, without its name
)

// dormantChannels remembers the positions of channels that have no messages any more.
// So their ids go on, and their readers are told exactly what they missed. A position
// is forgotten after a day, or earlier if there are too many: then the channel that has
// been dormant longest is forgotten first.
type dormantChannels struct {
	byName map[string]*list.Element
	oldest list.List // of *dormantChannel, the one that has been dormant longest first
	bytes  int

	// highest is the highest id of all channels that were forgotten before their day was
	// over. A channel that is not remembered may be one of them. It begins above this id,
	// so that a reader who keeps a bare id, without an epoch, misses nothing.
	highest uint64

	epochs epochs
}

type dormantChannel struct {
	name string
	position
	since time.Time
}

func newDormantChannels() *dormantChannels {
	d := &dormantChannels{byName: make(map[string]*list.Element)}
	d.epochs.start(time.Now())
	return d
}

// add remembers a channel's position.
func (d *dormantChannels) add(name string, p position, now time.Time) {
	d.byName[name] = d.oldest.PushBack(&dormantChannel{name, p, now})
	d.bytes += dormantEntry + len(name)
	for d.bytes > dormantBytes {
		d.highest = max(d.highest, d.forget(d.oldest.Front()).last)
	}
}

// touchEvery is how often it is noted that somebody reads on in a dormant channel.
const touchEvery = time.Minute

// untouched tells whether that was not noted for a while.
func (d *dormantChannels) untouched(name string, now time.Time) bool {
	e := d.byName[name]
	return e != nil && now.Sub(e.Value.(*dormantChannel).since) >= touchEvery
}

// touch remembers a channel for another day, since somebody reads on there.
func (d *dormantChannels) touch(name string, now time.Time) {
	if e := d.byName[name]; e != nil {
		e.Value.(*dormantChannel).since = now
		d.oldest.MoveToBack(e)
	}
}

func (d *dormantChannels) forget(e *list.Element) *dormantChannel {
	c := d.oldest.Remove(e).(*dormantChannel)
	delete(d.byName, c.name)
	d.bytes -= dormantEntry + len(c.name)
	return c
}

// forgetOld forgets the channels that have been dormant for a day. It waits for two
// more sweeps, since sweeps may be late and a cursor of an epoch of the log must not
// outlive the memory of the channels that it may be used on.
func (d *dormantChannels) forgetOld(now time.Time) {
	isOld := func(e *list.Element) bool {
		return e != nil && now.Sub(e.Value.(*dormantChannel).since) >= dormantFor+2*sweepEvery
	}
	for e := d.oldest.Front(); isOld(e); e = d.oldest.Front() {
		d.forget(e)
	}
	d.epochs.renew(now)
}

// take returns the position at which a channel goes on that is posted to, and forgets
// it here.
func (d *dormantChannels) take(name string) position {
	if e := d.byName[name]; e != nil {
		return d.forget(e).position
	}
	return d.start(newEpoch())
}

// look returns the position of a channel without messages.
func (d *dormantChannels) look(name string) position {
	if e := d.byName[name]; e != nil {
		return e.Value.(*dormantChannel).position
	}
	return d.start(d.epochs.current())
}

// start is the position of a channel that is not remembered.
func (d *dormantChannels) start(epoch string) position {
	return position{epoch: epoch, before: d.highest, last: d.highest}
}
