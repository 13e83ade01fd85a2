package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"pubsub/server/history"
)

// atOnce bounds how many messages and keys one transaction deletes.
const atOnce = 5000

// trim drops messages that are too many or too old, up to atOnce.
func (b *batch) trim(name string, c *channel) error {
	o, dropped := b.log.options, c.Dropped
	if o.Messages > 0 && c.Last > uint64(o.Messages) {
		dropped = max(dropped, c.Last-uint64(o.Messages))
	}
	for o.Age > 0 && dropped < c.Last && dropped-c.Dropped < atOnce {
		if e := entry(b.messages.Get(key(name, dropped+1))); e != nil && b.now.Sub(e.time()) < o.Age {
			break
		}
		dropped++
	}
	return b.drop(name, c, min(dropped, c.Dropped+atOnce))
}

// drop drops a channel's messages up to an id. The time of the newest of them stays, to check
// cursors against.
func (b *batch) drop(name string, c *channel, dropped uint64) error {
	if dropped == c.Dropped {
		return nil
	}
	b.deleted += int(dropped - c.Dropped)
	for id := max(c.Dropped, 1); id <= dropped; id++ {
		where := key(name, id)
		if err := b.empty(where); err != nil {
			return err
		}
		if id == dropped {
			break
		}
		if err := b.messages.Delete(where); err != nil {
			return err
		}
	}
	c.Dropped = dropped
	return nil
}

// dormantFor is how long a channel is remembered after its messages have left.
const dormantFor = 24 * time.Hour

// tidy tidies until nothing is left to do, in small transactions.
func (l *Log) tidy() error {
	for more := true; more; {
		err := l.update(func(b *batch) error {
			err := b.tidy()
			more = b.deleted >= atOnce
			if err == nil && b.isIdle() {
				return errIdle
			}
			return err
		})
		if err != nil && !errors.Is(err, errIdle) {
			return err
		}
	}
	return nil
}

// errIdle rolls back a transaction that has nothing to write, which saves the fsync.
var errIdle = errors.New("there is nothing to tidy")

func (b *batch) isIdle() bool {
	return len(b.changed) == 0 && b.epochs == b.log.epochs && b.deleted == 0
}

// tidy drops messages that are too old, forgets channels and keys, and renews the log's
// epochs. It ends early when the transaction has deleted enough.
func (b *batch) tidy() error {
	b.log.tidied = b.now
	readers := b.log.takeReaders()
	for name := range b.log.channels {
		if b.deleted >= atOnce {
			break
		}
		c := b.channel(name)
		if at, is := readers[name]; is {
			c.Seen = at.UnixMicro()
		}
		if err := b.trim(name, &c); err != nil {
			return err
		}
		if b.forgotten(&c) {
			if err := b.messages.Delete(key(name, c.Dropped)); err != nil {
				return err
			}
			c = channel{}
		}
		if c != b.channel(name) {
			b.set(name, c)
		}
	}
	b.renew()
	return b.forgetKeys()
}

// forgotten tells whether a channel has had neither messages nor readers with a cursor for
// long enough.
func (b *batch) forgotten(c *channel) bool {
	return c.Dropped == c.Last && b.now.Sub(time.UnixMicro(max(c.Seen, c.LastTime))) >= dormantFor
}

// renew gives the log a new epoch twice in the time for which a channel is remembered.
func (b *batch) renew() {
	if b.now.Sub(time.UnixMicro(b.epochs.Since)) >= dormantFor/2 {
		b.epochs = epochs{Now: history.NewEpoch(), Before: b.epochs.Now, Since: b.now.UnixMicro()}
	}
}

// forgetKeys deletes the keys that are too old.
func (b *batch) forgetKeys() error {
	until := binary.BigEndian.AppendUint64(nil, uint64(b.now.Add(-history.KeyFor).UnixMicro()))
	var old [][]byte
	cursor := b.times.Cursor()
	for at, _ := cursor.First(); at != nil && bytes.Compare(at, until) < 0 && len(old) < atOnce; at, _ = cursor.Next() {
		old = append(old, bytes.Clone(at))
	}
	b.deleted += len(old)
	for _, at := range old {
		if _, found := b.repeat(at[8:]); !found { // otherwise the key was used again
			if err := b.keys.Delete(at[8:]); err != nil {
				return err
			}
		}
		if err := b.times.Delete(at); err != nil {
			return err
		}
	}
	return nil
}
