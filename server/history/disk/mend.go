package disk

import (
	"bytes"
	"encoding/binary"
	"strconv"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// mend converts a file of an older format, in small transactions. Messages of the first
// format get no owner. Messages of forgotten channels are deleted, as earlier versions left
// some.
func (l *Log) mend() error {
	var at []byte // where to go on
	for more := true; more; {
		err := l.db.Update(func(tx *bolt.Tx) (err error) {
			if text := tx.Bucket(epochsBucket).Get(formatKey); string(text) == strconv.Itoa(format) {
				more = false
				return nil
			}
			at, err = mendSome(tx, at)
			if more = at != nil; more || err != nil {
				return err
			}
			return tx.Bucket(epochsBucket).Put(formatKey, strconv.AppendInt(nil, format, 10))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// mendSome converts messages from a key on. It returns the key to go on from, nil at the end.
func mendSome(tx *bolt.Tx, from []byte) (next []byte, err error) {
	messages, channels := tx.Bucket(messagesBucket), tx.Bucket(channelsBucket)
	var some [][]byte
	cursor := messages.Cursor()
	at, _ := cursor.Seek(from)
	for ; at != nil && len(some) < atOnce; at, _ = cursor.Next() {
		some = append(some, bytes.Clone(at))
	}
	next = bytes.Clone(at)
	for _, where := range some {
		name, id := nameOf(where)
		c, err := channelIn(channels, name)
		switch {
		case err != nil:
			return nil, err
		case c.Epoch == "" || id < c.Dropped:
			err = messages.Delete(where)
		default:
			err = mendOne(tx, where, id == c.Dropped)
		}
		if err != nil {
			return nil, err
		}
	}
	return next, nil
}

// mendOne gives a message its missing owner. Of a dropped message it keeps the time only.
func mendOne(tx *bolt.Tx, where []byte, dropped bool) error {
	messages := tx.Bucket(messagesBucket)
	e := entry(bytes.Clone(messages.Get(where)))
	switch {
	case e.left() || e.hasOwner(): // converted before the process was killed
		return nil
	case dropped:
		return messages.Put(where, e[:8])
	}
	name, _ := nameOf(where)
	weight := history.Weight(name, len(e)-8)
	e = encode(e.time(), history.Owner{}, e[8:])
	if err := messages.Put(where, e); err != nil {
		return err
	}
	return tx.Bucket(ownedBucket).Put(e.ownedKey(where), binary.BigEndian.AppendUint32(nil, uint32(weight)))
}
