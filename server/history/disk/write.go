package disk

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
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

// write writes what is posted until the log is closed, and tidies up now and then.
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
			_ = l.update((*batch).tidy) // if it fails, the next one comes
		}
	}
}

// gather takes along whoever waits.
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

// writeBatch writes posts, or refuses all of them.
func (l *Log) writeBatch(all []*waiting) {
	appendAll := func(b *batch) error {
		for _, w := range all {
			if w.receipt, w.err = b.append(w.post); w.err != nil && !isRefusal(w.err) {
				return w.err
			}
		}
		return b.trimBytes()
	}
	err := l.update(appendAll)
	if errors.Is(err, history.ErrFull) && l.update((*batch).tidy) == nil { // that may have made room
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

// update runs one transaction. What it has changed is seen by readers once it is synced.
func (l *Log) update(change func(*batch) error) error {
	b := &batch{log: l, changed: make(map[string]channel), begun: make(map[string]history.Owner), epochs: l.epochs, now: time.Now()}
	err := l.db.Update(func(tx *bolt.Tx) error {
		b.open(tx)
		if err := change(b); err != nil {
			return err
		}
		return b.save()
	})
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

// batch is one transaction.
type batch struct {
	log                                  *Log
	messages, channels, keys, times, own *bolt.Bucket
	changed                              map[string]channel // as they will be; without an epoch it is gone
	begun                                map[string]history.Owner
	epochs                               epochs
	now                                  time.Time
}

func (b *batch) open(tx *bolt.Tx) {
	b.messages, b.channels, b.keys, b.times, b.own = tx.Bucket(messagesBucket), tx.Bucket(channelsBucket), tx.Bucket(keysBucket), tx.Bucket(keyTimesBucket), tx.Bucket(epochsBucket)
	b.messages.FillPercent = 0.9 // a channel's messages come in order
}

// channel is one as it will be.
func (b *batch) channel(name string) channel {
	if c, is := b.changed[name]; is {
		return c
	}
	return b.log.channels[name] // only the writer changes it
}

func newEpoch() string { return strings.ToLower(rand.Text()[:12]) }

func (b *batch) append(post history.Post) (history.Receipt, error) {
	var hash []byte
	if post.Key != "" {
		hash = hashOf(post)
		if receipt, found := b.repeat(hash); found {
			return receipt, nil
		}
	}
	c := b.channel(post.Channel)
	if !c.hasMessages(b.log.options.Age, b.now) {
		if err := b.admit(post); err != nil {
			return history.Receipt{}, err
		}
		c = b.channel(post.Channel) // which may have been tidied up
		if post.Channel != b.log.options.Home {
			b.begun[post.Channel] = post.By
		}
	}
	if c.Epoch == "" {
		c.Epoch = newEpoch()
	}
	at := time.UnixMicro(max(b.now.UnixMicro(), c.LastTime+1)).UTC()
	c.Last, c.LastTime, c.Bytes = c.Last+1, at.UnixMicro(), c.Bytes+entryBytes+len(post.Object)
	if err := b.messages.Put(key(post.Channel, c.Last), encode(at, post.Object)); err != nil {
		return history.Receipt{}, err
	}
	receipt := history.Receipt{
		Message: history.NewMessage(c.Last, at, post.Channel, post.Object),
		Cursor:  history.Cursor{Epoch: c.Epoch, ID: c.Last, Check: history.CheckOf(at)},
	}
	err := b.trim(post.Channel, &c)
	if b.changed[post.Channel] = c; err == nil && hash != nil {
		err = b.remember(hash, receipt)
	}
	return receipt, err
}

// tidyAtLeast is how much time lies between two looks for channels that have expired.
const tidyAtLeast = time.Second

// admit tells whether one more channel may have messages. Channels that have expired count
// until somebody looks for them.
func (b *batch) admit(post history.Post) error {
	if post.Channel == b.log.options.Home {
		return nil
	}
	err := b.over(post.By)
	if err != nil && b.now.Sub(b.log.tidied) >= tidyAtLeast {
		if err := b.tidy(); err != nil {
			return err
		}
		err = b.over(post.By)
	}
	return err
}

// over tells whether there are as many channels as there may be, in all or of an owner.
func (b *batch) over(by history.Owner) error {
	o, l := b.log.options, b.log
	inUse, mine := l.inUse, l.begun.Weights.Of(by)
	for name, c := range b.changed {
		before := l.channels[name]
		inUse += c.counts() - before.counts()
		if c.counts() == 0 && l.holdings[name] != nil && l.holdings[name].Holder() == by {
			mine--
		}
	}
	for name, owner := range b.begun {
		if owner == by && l.holdings[name] == nil {
			mine++
		}
	}
	switch {
	case o.ChannelsPerOwner > 0 && mine >= o.ChannelsPerOwner:
		return history.ErrTooManyOfOwner
	case o.Channels > 0 && inUse-l.homeCounts(b) >= o.Channels:
		return history.ErrTooManyChannels
	}
	return nil
}

// homeCounts is 1 if the channel that always has its place has messages, else 0.
func (l *Log) homeCounts(b *batch) int {
	home := b.channel(l.options.Home)
	return home.counts()
}

func hashOf(post history.Post) []byte {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %q ", post.Channel, post.Key)
	sum.Write(post.Object)
	return sum.Sum(nil)[:16]
}

// kept is a receipt in its bucket.
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

// save writes what has changed of channels.
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

// publish lets readers see it. The log's mu is held.
func (b *batch) publish() {
	l := b.log
	for name, c := range b.changed {
		before := l.channels[name]
		l.inUse += c.counts() - before.counts()
		if c.counts() == 0 {
			l.begun.Remove(l.holdings[name])
			delete(l.holdings, name)
		}
		l.bytes.Add(name, c.Bytes-l.bytes.Of(name))
		if c.Epoch == "" {
			delete(l.channels, name)
		} else {
			l.channels[strings.Clone(name)] = c
		}
	}
	for name, owner := range b.begun {
		if c := l.channels[name]; c.counts() > 0 {
			l.begun.Remove(l.holdings[name])
			l.holdings[name] = l.begun.Add(owner, name, 1)
		}
	}
	l.epochs = b.epochs
}
