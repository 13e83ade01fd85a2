package crowd

import (
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// Kind is what the readers of a crowd have in common beside their channels. Crowds are of the
// same kind if they have the same *Kind, so make each once. Fields without "may be" must be
// set.
type Kind struct {
	Limit  int           // messages of a page at most
	Bytes  int           // bytes of a page at most, unless it has a single message
	Gather time.Duration // how old the first message of a page may become while the crowd waits for more in a flood
	Tick   time.Duration // how often Tick is called; may be 0 for never; otherwise the readers must be a [Ticker]
	Linger time.Duration // how long a crowd goes on without readers; may be 0
	Once   bool          // a reader is out with the first page that has news; may be false: then it stays

	// Encode returns the bytes of a page that has news. It is called once for all readers, and
	// once for each that is ahead and needs a part of the page.
	Encode func(page *hub.Page) []byte
	// Count is told of each page that n readers get. It may be called several times for a
	// page.
	Count func(page *hub.Page, n int)
}

// News is a page that has news, as given to readers. It is shared, so do not change it,
// except Made.
type News struct {
	Page *hub.Page
	Text []byte           // the page after [Kind].Encode
	From []history.Cursor // up to where the reader has everything before the page
	To   []history.Cursor // and after it; unlike Page.Cursors this keeps no message in memory
	Made [2][]byte        // of readers that get the page one after the other: what one has made of it, for the next
}

// Reader reads with a crowd, and embeds a [Seat]. The crowd calls its methods from any
// goroutine, but one at a time from Join until the reader is out. No method may wait. If one
// panics the reader is out, and End is called if possible.
//
// A method that is called with a shard's lock held must not call methods of a seat or a
// crowd. It returns nil if the reader stays. Otherwise the reader is out, and the returned
// function is called with no lock held.
type Reader interface {
	seat() *Seat
	// Give gives the reader news, with the shard's lock held. But a reader of a Once kind is
	// out already, and no lock is held.
	Give(news *News) (leave func())
	// Lag tells the reader that it is out, and must read the log after at by itself. No lock
	// is held.
	Lag(at []history.Cursor)
	// End tells the reader that it is out because the crowd has ended. The reader has
	// everything up to at. No lock is held.
	End(at []history.Cursor)
}

// Ticker is a reader of a kind with a Tick.
type Ticker interface {
	// Tick is called with the shard's lock held. The reader has everything up to at. quiet
	// tells that the shard got no news since the last tick.
	Tick(now time.Time, at []history.Cursor, quiet bool) (leave func())
}
