package disk

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// waiting is a post that waits to be written.
type waiting struct {
	post    history.Post
	receipt history.Receipt
	err     error
	done    chan struct{}
}

// Bounds of a batch.
const (
	batchPosts = 1000
	tidyEvery  = 30 * time.Second
)

// write writes posts until the log is closed, and tidies now and then. It is the writer.
func (l *Log) write() {
	defer close(l.ended)
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case first, open := <-l.posts:
			if !open {
				return
			}
			l.writeBatch(l.gather(first))
		case <-tick.C:
			_ = l.tidy() // if it fails, the next tick tries again
		}
	}
}

// gather returns the first post with all others that wait.
func (l *Log) gather(first *waiting) []*waiting {
	all := []*waiting{first}
	for len(all) < batchPosts {
		select {
		case next, open := <-l.posts:
			if !open {
				return all
			}
			all = append(all, next)
		default:
			return all
		}
	}
	return all
}

// writeBatch writes posts in one transaction, or refuses all of them.
func (l *Log) writeBatch(all []*waiting) {
	appendAll := func(b *batch) error {
		for _, w := range all {
			b.left = nil
			if w.receipt, w.err = b.append(w.post); w.err != nil && !isRefusal(w.err) {
				return w.err
			}
			w.receipt.Left = b.left
		}
		return nil
	}
	err := l.update(appendAll)
	if errors.Is(err, history.ErrFull) && l.tidy() == nil { // tidy may have made room
		err = l.update(appendAll)
	}
	for _, w := range all {
		if err != nil {
			w.receipt, w.err = history.Receipt{}, err
		}
		close(w.done)
	}
}

func isRefusal(err error) bool {
	return err == history.ErrTooManyChannels || err == history.ErrTooManyOfOwner
}

// update runs one transaction. Readers see its changes after the fsync.
func (l *Log) update(change func(*batch) error) error {
	b := &batch{log: l, changed: make(map[string]channel), epochs: l.epochs, now: time.Now()}
	err := l.db.Update(func(tx *bolt.Tx) error {
		b.open(tx)
		if err := change(b); err != nil {
			return err
		}
		return b.save()
	})
	if err != nil {
		b.rollBack()
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", history.ErrFull, err)
	case err != nil:
		return fmt.Errorf("%w: %w", history.ErrAway, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b.publish()
	return nil
}

// batch is one transaction of the writer.
type batch struct {
	log                                         *Log
	messages, owned, channels, keys, times, own *bolt.Bucket
	changed                                     map[string]channel // channels after the transaction; one without an epoch is deleted
	undo                                        []func()           // of changes to the writer's fields of the log
	left                                        []history.Left     // for the receipt of the current post
	deleted                                     int                // messages and keys so far
	epochs                                      epochs
	now                                         time.Time
}

func (b *batch) open(tx *bolt.Tx) {
	b.messages, b.owned, b.channels = tx.Bucket(messagesBucket), tx.Bucket(ownedBucket), tx.Bucket(channelsBucket)
	b.keys, b.times, b.own = tx.Bucket(keysBucket), tx.Bucket(keyTimesBucket), tx.Bucket(epochsBucket)
	b.messages.FillPercent = 0.9 // the messages of a channel come in order, and so do those of an owner
	b.owned.FillPercent = 0.9
}

func (b *batch) rollBack() {
	for _, undo := range slices.Backward(b.undo) {
		undo()
	}
}

// channel returns a channel as it is after the transaction so far.
func (b *batch) channel(name string) channel {
	if c, is := b.changed[name]; is {
		return c
	}
	return b.log.channels[name] // no lock, as only the writer changes the map
}

// set changes a channel.
func (b *batch) set(name string, c channel) {
	if before := b.channel(name); c.Last == c.Dropped && before.Last > before.Dropped {
		c.Seen = b.now.UnixMicro()
		b.end(name)
	}
	b.changed[name] = c
}

// begin counts a channel for an owner, and end undoes it.
func (b *batch) begin(name string, by history.Owner) {
	if name == b.log.options.Home {
		return
	}
	l := b.log
	l.began[name] = l.begun.Add(by, name, 1)
	b.undo = append(b.undo, func() { l.begun.Remove(l.began[name]); delete(l.began, name) })
}

func (b *batch) end(name string) {
	l := b.log
	if held := l.began[name]; held != nil {
		by := held.Holder()
		l.begun.Remove(held)
		delete(l.began, name)
		b.undo = append(b.undo, func() { l.began[name] = l.begun.Add(by, name, 1) })
	}
}

// weigh adds bytes to an owner's messages.
func (b *batch) weigh(by history.Owner, bytes int) {
	b.log.owners.Add(by, bytes)
	b.undo = append(b.undo, func() { b.log.owners.Add(by, -bytes) })
}

func (b *batch) append(post history.Post) (history.Receipt, error) {
	var hash []byte
	if post.Key != "" {
		sum := post.KeyHash()
		hash = sum[:]
		if receipt, found := b.repeat(hash); found {
			return receipt, nil
		}
	}
	c := b.channel(post.Channel)
	if !c.hasMessages(b.log.options.Age, b.now) {
		b.end(post.Channel) // all messages have expired
		if err := b.admit(post); err != nil {
			return history.Receipt{}, err
		}
		c = b.channel(post.Channel) // tidy may have changed it
		c.By, c.Begun = post.By, b.now.UnixMicro()
		b.begin(post.Channel, post.By)
	}
	if c.Epoch == "" {
		c.Epoch = history.NewEpoch()
	}
	at := time.UnixMicro(max(b.now.UnixMicro(), c.LastTime+1)).UTC()
	c.Last, c.LastTime, c.Newest = c.Last+1, at.UnixMicro(), 0
	if err := b.put(post, c.Last, at); err != nil {
		return history.Receipt{}, err
	}
	receipt := history.Receipt{
		Message: history.NewMessage(c.Last, at, post.Channel, post.Object),
		Cursor:  history.Cursor{Epoch: c.Epoch, ID: c.Last, Check: history.CheckOf(at)},
	}
	err := b.trim(post.Channel, &c)
	if b.set(post.Channel, c); err == nil {
		err = b.makeRoom(post.By)
	}
	if err == nil && hash != nil {
		err = b.remember(hash, receipt)
	}
	return receipt, err
}

// put adds a message to its channel and to its owner's list.
func (b *batch) put(post history.Post, id uint64, at time.Time) error {
	where, e := key(post.Channel, id), entry(encode(at, post.By, post.Object))
	b.weigh(post.By, post.Weight())
	if err := b.messages.Put(where, e); err != nil {
		return err
	}
	return b.owned.Put(e.ownedKey(where), binary.BigEndian.AppendUint32(nil, uint32(post.Weight())))
}

// kept is a receipt in the bucket of keys.
type kept struct {
	Cursor history.Cursor
	Time   int64 // of the message, in µs
}

func (b *batch) repeat(hash []byte) (receipt history.Receipt, found bool) {
	var k kept
	text := b.keys.Get(hash)
	if text == nil || json.Unmarshal(text, &k) != nil || b.now.Sub(time.UnixMicro(k.Time)) >= history.KeyFor {
		return receipt, false
	}
	at := time.UnixMicro(k.Time).UTC()
	return history.Receipt{Message: history.Message{ID: k.Cursor.ID, Time: at}, Cursor: k.Cursor, Repeat: true}, true
}

func (b *batch) remember(hash []byte, receipt history.Receipt) error {
	us := receipt.Message.Time.UnixMicro()
	if err := put(b.keys, hash, kept{receipt.Cursor, us}); err != nil {
		return err
	}
	return b.times.Put(append(binary.BigEndian.AppendUint64(nil, uint64(us)), hash...), nil)
}

// save writes the changed channels and epochs.
func (b *batch) save() error {
	for name, c := range b.changed {
		var err error
		if c.Epoch == "" {
			err = b.channels.Delete([]byte(name))
		} else {
			err = put(b.channels, []byte(name), c)
		}
		if err != nil {
			return err
		}
	}
	if b.epochs != b.log.epochs {
		return put(b.own, epochsKey, b.epochs)
	}
	return nil
}

// publish lets readers see the transaction. Log.mu is held.
func (b *batch) publish() {
	l := b.log
	for name, c := range b.changed {
		if c.Epoch == "" {
			delete(l.channels, name)
			delete(l.readers, name)
		} else {
			l.channels[strings.Clone(name)] = c
		}
	}
	l.epochs, l.total = b.epochs, l.owners.Total()
}
