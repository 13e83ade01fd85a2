package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"pubsub/server/fairshare"
	"pubsub/server/history"
)

// When the log is full, the owner that has most loses channels or messages. So no owner can
// keep others out by filling the log.

// tidyAtLeast is the least time between two runs of tidy to make room.
const tidyAtLeast = time.Second

// admit makes room for one more channel of an owner, or returns the error that refuses it.
// Expired channels count until tidy runs.
func (b *batch) admit(post history.Post) error {
	o, weights := b.log.options, &b.log.begun.Weights
	if post.Channel == o.Home {
		return nil
	}
	if (fairshare.Reached(weights.Of(post.By), o.ChannelsPerOwner) || fairshare.Reached(weights.Total(), o.Channels)) && b.mayTidy() {
		if err := b.tidy(); err != nil {
			return err
		}
	}
	mine := weights.Of(post.By)
	switch {
	case fairshare.Reached(mine, o.ChannelsPerOwner):
		return history.ErrTooManyOfOwner
	case fairshare.Reached(weights.Total(), o.Channels):
		return b.displace(mine + 1)
	}
	return nil
}

func (b *batch) mayTidy() bool { return b.now.Sub(b.log.tidied) >= tidyAtLeast }

// displace empties a channel of the owner that has most: the oldest on which no client waits.
// The owner must have more than moreThan channels.
func (b *batch) displace(moreThan int) error {
	l := b.log
	owner, most := l.begun.Weights.Largest()
	if most <= moreThan {
		return history.ErrTooManyChannels
	}
	for held := range l.begun.Of(owner) {
		name := held.Value
		if l.options.Waited != nil && l.options.Waited(name) {
			continue
		}
		c := b.channel(name)
		if err := b.drop(name, &c, c.Last); err != nil {
			return err
		}
		b.set(name, c)
		b.left = append(b.left, history.Left{Channel: name, ID: c.Last})
		return nil
	}
	return history.ErrTooManyChannels
}

// makeRoom removes messages while there are too many bytes in all, or of the owner that has
// just posted.
func (b *batch) makeRoom(by history.Owner) error {
	o, weights := b.log.options, &b.log.owners
	if over := weights.Of(by) - o.BytesPerOwner; o.BytesPerOwner > 0 && over > 0 {
		if err := b.takeOldest(by, over); err != nil {
			return err
		}
	}
	if o.Bytes > 0 && weights.Total() > o.Bytes && o.Age > 0 && b.mayTidy() {
		if err := b.tidy(); err != nil { // expired messages must not push others out
			return err
		}
	}
	for o.Bytes > 0 && weights.Total() > o.Bytes {
		largest, _ := weights.Largest()
		if err := b.takeOldest(largest, 1); err != nil {
			return err
		}
	}
	return nil
}

// takeOldest removes the oldest messages of an owner that have the given size together.
func (b *batch) takeOldest(by history.Owner, size int) error {
	prefix := ownerKey(by)
	var old [][]byte
	cursor := b.owned.Cursor() // deleting under the cursor would take quadratic time
	for at, weight := cursor.Seek(prefix); size > 0 && bytes.HasPrefix(at, prefix); at, weight = cursor.Next() {
		old = append(old, bytes.Clone(at))
		size -= int(binary.BigEndian.Uint32(weight))
	}
	for _, at := range old {
		if err := b.leave(nameOf(messageOf(at))); err != nil {
			return err
		}
	}
	if len(old) == 0 {
		return errLost
	}
	return nil
}

// errLost: the list of an owner has no messages, but their bytes are counted.
var errLost = errors.New("the list of an owner's messages is not complete")

// leave removes a message, which need not be the oldest of its channel.
func (b *batch) leave(name string, id uint64) error {
	if err := b.empty(key(name, id)); err != nil {
		return err
	}
	b.left = append(b.left, history.Left{Channel: name, ID: id})
	c := b.channel(name)
	dropped := c.Dropped
	for dropped < c.Last && entry(b.messages.Get(key(name, dropped+1))).left() {
		dropped++
	}
	if err := b.drop(name, &c, dropped); err != nil {
		return err
	}
	newest := entry(b.messages.Get(key(name, c.Last)))
	for at := c.Last; at > c.Dropped && newest.left(); {
		at--
		newest = b.messages.Get(key(name, at))
	}
	if c.Last > c.Dropped && newest.time().UnixMicro() != c.LastTime {
		c.Newest = newest.time().UnixMicro()
	}
	b.set(name, c)
	return nil
}

// empty removes a message but its time, which cursors are checked against.
func (b *batch) empty(where []byte) error {
	e := entry(b.messages.Get(where))
	if e == nil || e.left() {
		return nil
	}
	owned := e.ownedKey(where)
	weight := b.owned.Get(owned)
	b.weigh(ownerOf(owned), -int(binary.BigEndian.Uint32(weight)))
	if err := b.owned.Delete(owned); err != nil {
		return err
	}
	return b.messages.Put(where, bytes.Clone(e[:8]))
}
