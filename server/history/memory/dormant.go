package memory

import (
	"container/list"
	"time"

	"pubsub/server/history"
)

const (
	dormantFor   = 24 * time.Hour
	dormantBytes = 64 << 20 // of all dormant channels
	dormantEntry = 256      // bytes of a channel without its name
)

// dormantChannels remembers the positions of channels that have no messages any more. So
// their ids go on, and their readers are told exactly what they missed. A position is
// forgotten after a day. If there are too many, the channel that has been dormant for longest
// is forgotten earlier. Log.channelsMu guards it, except epochs.known, which is atomic.
type dormantChannels struct {
	byName map[string]*list.Element
	oldest list.List // of *dormantChannel, the longest dormant first
	bytes  int

	// highest is the highest id of all channels that were forgotten early. A channel that is
	// not remembered may be one of them, so it begins above this id. Otherwise a reader that
	// keeps an id without an epoch could miss messages.
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

// touchEvery is how often a reader in a dormant channel is noted.
const touchEvery = time.Minute

// untouched tells whether a dormant channel's readers were not noted for a while.
func (d *dormantChannels) untouched(name string, now time.Time) bool {
	e := d.byName[name]
	return e != nil && now.Sub(e.Value.(*dormantChannel).since) >= touchEvery
}

// touch keeps a dormant channel for another day, as a reader goes on there.
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

// forgetOld forgets the channels that have been dormant for a day. It waits for two more
// sweeps, because sweeps may be late. A cursor in an epoch of the log must not live longer
// than the positions of the channels that it may be used on.
func (d *dormantChannels) forgetOld(now time.Time) {
	isOld := func(e *list.Element) bool {
		return e != nil && now.Sub(e.Value.(*dormantChannel).since) >= dormantFor+2*sweepEvery
	}
	for e := d.oldest.Front(); isOld(e); e = d.oldest.Front() {
		d.forget(e)
	}
	d.epochs.renew(now)
}

// take returns the position where the next post to a channel goes on. The channel is not
// dormant any more.
func (d *dormantChannels) take(name string) position {
	if e := d.byName[name]; e != nil {
		return d.forget(e).position
	}
	return d.start(history.NewEpoch())
}

// look returns the position of a channel without messages.
func (d *dormantChannels) look(name string) position {
	if e := d.byName[name]; e != nil {
		return e.Value.(*dormantChannel).position
	}
	return d.start(d.epochs.current())
}

// start returns the position of a channel that is not remembered.
func (d *dormantChannels) start(epoch string) position {
	return position{epoch: epoch, before: d.highest, last: d.highest}
}
