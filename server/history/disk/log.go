// Package disk is a log of messages in a folder. Each message is fsynced before it is
// acknowledged, so it survives kill -9 and a power cut.
//
// The folder has one file, which bbolt writes. All posts that wait are written in one
// transaction, so that many at once need one fsync.
package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"pubsub/server/fairshare"
	"pubsub/server/history"
)

// Log is a [history.Log] in a folder. Make it with [Open], and close it. Its methods are safe
// for concurrent use. Append waits for an fsync.
type Log struct {
	db      *bolt.DB
	options history.Options
	posts   chan *waiting
	ended   chan struct{} // closed when the writer has ended

	closedMu sync.RWMutex // guards closed; held for reading while a post waits for the writer
	closed   bool

	// mu guards the fields below, which hold what is fsynced. It may be taken in a
	// transaction. No other lock is taken under it.
	mu       sync.RWMutex
	channels map[string]channel
	epochs   epochs
	total    int                  // bytes of all messages
	readers  map[string]time.Time // of channels without messages: when a reader with a cursor came

	// The fields below belong to the writer. They include its unfinished transaction.
	tidied time.Time
	owners fairshare.Shares[history.Owner]           // bytes of each owner's messages
	begun  fairshare.Holdings[history.Owner, string] // channels with messages, except Options.Home
	began  map[string]*fairshare.Holding[history.Owner, string]
}

var _ history.Log = (*Log)(nil)

const fileName = "pubsub.db"

// lockTimeout is how long Open waits for a file that another process has open.
const lockTimeout = time.Second

// Open opens the log in a folder, and makes the folder if there is none. Only one process can
// have it open. The errors are for people to read.
func Open(folder string, options history.Options) (*Log, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for messages cannot be made: %w", err)
	}
	db, err := openFile(folder)
	if err != nil {
		return nil, err
	}
	l := &Log{
		db: db, options: options, posts: make(chan *waiting), ended: make(chan struct{}),
		channels: make(map[string]channel), readers: make(map[string]time.Time), began: make(map[string]*fairshare.Holding[history.Owner, string]),
	}
	if err := l.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("the messages in %s cannot be read: %w", folder, err), db.Close())
	}
	go l.write()
	return l, nil
}

// Close waits for the posts that are being written, and closes the file. It may be called
// again.
func (l *Log) Close() error {
	l.closedMu.Lock()
	already := l.closed
	l.closed = true
	l.closedMu.Unlock()
	if already {
		return nil
	}
	close(l.posts)
	<-l.ended
	return l.db.Close()
}

// Append implements [history.Log].
func (l *Log) Append(_ context.Context, post history.Post) (history.Receipt, error) {
	w := &waiting{post: post, done: make(chan struct{})}
	if err := l.hand(w); err != nil {
		return history.Receipt{}, err
	}
	<-w.done
	return w.receipt, w.err
}

// hand gives a post to the writer, and waits until the writer takes it.
func (l *Log) hand(w *waiting) error {
	l.closedMu.RLock()
	defer l.closedMu.RUnlock()
	if l.closed {
		return history.ErrAway
	}
	l.posts <- w
	return nil
}

// Channels implements [history.Log].
func (l *Log) Channels(context.Context) ([]string, error) {
	l.mu.RLock()
	names := make([]string, 0, len(l.channels))
	now := time.Now()
	for name, c := range l.channels {
		if c.hasMessages(l.options.Age, now) {
			names = append(names, name)
		}
	}
	l.mu.RUnlock()
	slices.Sort(names)
	return names, nil
}

// Len implements [history.Log].
func (l *Log) Len(ctx context.Context) (int, error) {
	names, err := l.Channels(ctx)
	return len(names), err
}

// Bytes returns how many bytes the messages take.
func (l *Log) Bytes() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.total
}
