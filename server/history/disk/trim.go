package disk

import (
	"bytes"
	"encoding/binary"
	"time"

	"pubsub/server/history"
)

// atOnce bounds what one transaction deletes of a channel.
const atOnce = 5000

// trim drops what is over the count or too old.
func (b *batch) trim(name string, c *channel) error {
	o, dropped := b.log.options, c.Dropped
	if o.Messages > 0 && c.Last > uint64(o.Messages) {
		dropped = max(dropped, c.Last-uint64(o.Messages))
	}
	for o.Age > 0 && dropped < c.Last {
		entry := b.messages.Get(key(name, dropped+1))
		if entry != nil && b.now.Sub(timeOf(entry)) < o.Age {
			break
		}
		dropped++
		if dropped-c.Dropped >= atOnce {
			break
		}
	}
	return b.drop(name, c, dropped)
}

// drop drops a channel's messages up to an id. The newest of them stays, to be compared
// with cursors that stand on it.
func (b *batch) drop(name string, c *channel, dropped uint64) error {
	if dropped == c.Dropped {
		return nil
	}
	for id := max(c.Dropped, 1); id <= dropped; id++ {
		at := key(name, id)
		if entry := b.messages.Get(at); entry != nil && id > c.Dropped {
			c.Bytes -= entryBytes + len(entry) - 8
		}
		if id == dropped {
			break
		}
		if err := b.messages.Delete(at); err != nil {
			return err
		}
	}
	c.Dropped = dropped
	return nil
}

// trimBytes drops the oldest messages of the channel that has most, while all have too
// many.
func (b *batch) trimBytes() error {
	limit := b.log.options.Bytes
	if limit == 0 {
		return nil
	}
	total := b.log.bytes.Total()
	for name, c := range b.changed {
		total += c.Bytes - b.log.bytes.Of(name)
	}
	for total > limit {
		name, c := b.largest()
		if c.Last-c.Dropped <= 1 {
			return nil
		}
		before := c.Bytes
		if err := b.drop(name, &c, c.Dropped+max(1, (c.Last-c.Dropped)/16)); err != nil {
			return err
		}
		b.changed[name] = c
		total -= before - c.Bytes
	}
	return nil
}

// largest is the channel that will have most bytes.
func (b *batch) largest() (name string, c channel) {
	name, _ = b.log.bytes.Largest()
	c = b.channel(name)
	for other, changed := range b.changed {
		if changed.Bytes > c.Bytes {
			name, c = other, changed
		}
	}
	return name, c
}

// dormantFor is how long a channel is remembered when its messages are gone.
const dormantFor = 24 * time.Hour

// tidy drops what is too old everywhere, forgets channels and keys, and renews the epochs
// of the log.
func (b *batch) tidy() error {
	b.log.tidied = b.now
	for name := range b.log.channels {
		c := b.channel(name)
		if err := b.trim(name, &c); err != nil {
			return err
		}
		gone := b.log.options.Age > 0 && b.now.Sub(c.lastTime()) >= b.log.options.Age+dormantFor
		if gone {
			if err := b.messages.Delete(key(name, c.Dropped)); err != nil {
				return err
			}
			c = channel{}
		}
		if gone || c != b.log.channels[name] {
			b.changed[name] = c
		}
	}
	b.renew()
	return b.forgetKeys()
}

// renew gives the log a new epoch twice within the time that a channel is remembered.
func (b *batch) renew() {
	if b.now.Sub(time.UnixMicro(b.epochs.Since)) >= dormantFor/2 {
		b.epochs = epochs{Now: newEpoch(), Before: b.epochs.Now, Since: b.now.UnixMicro()}
	}
}

// forgetKeys forgets the keys that are too old.
func (b *batch) forgetKeys() error {
	until := binary.BigEndian.AppendUint64(nil, uint64(b.now.Add(-history.KeyFor).UnixMicro()))
	var old [][]byte
	cursor := b.times.Cursor()
	for at, _ := cursor.First(); at != nil && bytes.Compare(at, until) < 0 && len(old) < atOnce; at, _ = cursor.Next() {
		old = append(old, bytes.Clone(at))
	}
	for _, at := range old {
		if err := b.keys.Delete(at[8:]); err != nil {
			return err
		}
		if err := b.times.Delete(at); err != nil {
			return err
		}
	}
	return nil
}
