package crowd

import (
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// Kind is what the readers of a crowd have in common beside their channels. Two crowds of
// one kind have the same *Kind, so there are only a few, which are made once. Fields
// without "may be" must be set.
type Kind struct {
	Limit  int           // messages of a page at most
	Bytes  int           // of them at most, but for a single one
	Gather time.Duration // how old the first message of a page may become in a flood
	Tick   time.Duration // how often the readers are ticked, which then are a [Ticker]; may be 0: never
	Linger time.Duration // how long a crowd without readers goes on; may be 0
	Once   bool          // a reader leaves with the first page that has news; may be false: it stays

	// Encode returns what all readers of a crowd are given for a page that has news. It is
	// called once for them, and once for each reader that has a part of the page already.
	Encode func(page *hub.Page) []byte
	// Count is told of each page that is given to n readers, several times if they are many.
	Count func(page *hub.Page, n int)
}

// News is a page that has news, as a reader is given it. It is shared: do not change it, but
// for Made.
type News struct {
	Page *hub.Page
	Text []byte           // what [Kind].Encode made of it
	From []history.Cursor // up to where the reader has everything without it
	To   []history.Cursor // and with it; unlike those of the page they keep no message
	Made [2][]byte        // for readers, which are given it one after another: what one has made of it, so that others need not
}

// Reader is somebody who reads with a crowd, and embeds a [Seat]. The crowd calls its
// methods from any goroutine, but one at a time from Join until it is out. None may wait.
// If one panics, the reader is out, and is told the end if it can still be.
//
// Where a method or a function is called with the lock of a shard held, it must not call
// methods of a seat or a crowd. It returns nil if the reader stays. Otherwise the reader is
// out, and what it returned is called then with no lock held.
type Reader interface {
	seat() *Seat
	// Give gives it news, with the lock of a shard held. A reader of a Once kind is out
	// before, and no lock is held.
	Give(news *News) (leave func())
	// Lag tells it that it is out: the crowd cannot give it what comes after some places, so
	// it has to read the log from there. No lock is held.
	Lag(at []history.Cursor)
	// End tells it that it is out, since the crowd has ended, and up to where it has
	// everything. No lock is held.
	End(at []history.Cursor)
}

// Ticker is a reader of a kind that ticks.
type Ticker interface {
	// Tick is called with the lock of a shard held. The reader has everything up to some
	// places. If quiet is true its shard was given no news since the last tick.
	Tick(now time.Time, at []history.Cursor, quiet bool) (leave func())
}
