// Package disk is a log of messages in a folder. What it acknowledges has been synced:
// it is there after kill -9 and after a power cut.
//
// The folder has one file, which bbolt writes. All posts that wait are written in one
// transaction, so that many at once need one sync.
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

	"pubsub/server/history"
	"pubsub/server/shares"
)

// Log is a [history.Log] in a folder. Its methods are safe for concurrent use. Close it.
type Log struct {
	db      *bolt.DB
	options history.Options
	posts   chan *waiting
	ended   chan struct{} // closed when the writer has ended

	closedMu sync.RWMutex // guards the next one; held while a post is handed to the writer
	closed   bool

	mu       sync.RWMutex // guards all below, which is what has been synced
	channels map[string]channel
	epochs   epochs
	total    int                  // bytes of all messages
	readers  map[string]time.Time // of channels without messages, when somebody read on there

	// What is below is the writer's, and is what will be there when its transaction ends.
	tidied time.Time
	owners shares.Shares[history.Owner]           // bytes of each one's messages
	begun  shares.Holdings[history.Owner, string] // channels that have messages, but for Options.Home
	began  map[string]*shares.Holding[history.Owner, string]
}

var _ history.Log = (*Log)(nil)

const fileName = "pubsub.db"

// lockTimeout is how long another process may hold the file.
const lockTimeout = time.Second

// Open opens the log in a folder, which is made if there is none. Only one process may
// have it open.
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
		channels: make(map[string]channel), readers: make(map[string]time.Time), began: make(map[string]*shares.Holding[history.Owner, string]),
	}
	if err := l.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("the messages in %s cannot be read: %w", folder, err), db.Close())
	}
	go l.write()
	return l, nil
}

// Close waits for what is being written, and closes the file.
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

// hand gives the writer a post.
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

// Bytes is what the messages take.
func (l *Log) Bytes() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.total
}
