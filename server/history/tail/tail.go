package tail

import (
	"context"
	"sync"
	"time"

	"pubsub/server/history"
)

// tail is the newest messages of a channel.
type tail struct {
	channel string
	window  int       // messages at most
	usedAt  time.Time // guarded by the log's mu, as is the next
	counted int       // bytes

	fetching sync.Mutex // held while the log behind is asked

	mu       sync.Mutex    // guards all below
	fetches  int           // that have begun
	fetchEnd chan struct{} // closed when the next one has ended; nil if nobody waits for that
	ended    int           // the number of the last one that has ended
	fetched  time.Time     // when the last one that succeeded began
	err      error         // of the last one
	loaded   bool          // what is below is true, but for what is known to be missing
	start    history.Cursor
	messages []history.Message // with ids without holes, from start on
	last     history.Cursor
	lastTime time.Time
	empty    string // the epoch of the log, from when the channel had no message yet
	bytes    int

	rung    uint64         // id of the newest message of the epoch that was rung for
	newer   history.Cursor // was heard of and may be missing; "" is no epoch
	doubted bool           // anything may be missing
	doubts  int            // how often that was said
	gone    uint64         // id of the newest message that has left since the last fetch began
}

// complete tells whether nothing is known to be missing. mu is held.
func (t *tail) complete() bool {
	return t.loaded && !t.doubted && t.newer.Epoch == "" && time.Since(t.fetched) < askAfter
}

// page serves a query, if it can: ask tells that it must not before the log behind was
// asked. old tells that only the log behind can serve it.
func (t *tail) page(q history.Query, age time.Duration, ask bool) (page *history.Page, old bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ask || !t.complete() {
		return nil, false
	}
	page = t.serve(q, age)
	return page, page == nil
}

// pageAsked is page for a query for which the log behind was asked: what has come since need
// not be in it.
func (t *tail) pageAsked(q history.Query, age time.Duration) *history.Page {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.loaded || t.doubted {
		return nil
	}
	return t.serve(q, age)
}

// serve returns nil if only the log behind can serve a query. mu is held.
func (t *tail) serve(q history.Query, age time.Duration) *history.Page {
	after, here := t.find(q.Since)
	if !here || t.tooOld(after, age) {
		return nil
	}
	return t.pageAfter(after, q.Limit)
}

// pageWhileAway serves a query by cursor as well as it can.
func (t *tail) pageWhileAway(q history.Query, age time.Duration) *history.Page {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after, here := t.find(q.Since); t.loaded && here && !t.tooOld(after, age) {
		return t.pageAfter(after, q.Limit)
	}
	return &history.Page{Start: q.Since.Cursor(), Cursor: q.Since.Cursor(), LastTime: t.lastTime}
}

// find returns the id after which a reader goes on, if that is here. mu is held.
func (t *tail) find(since history.Since) (after uint64, here bool) {
	switch since.Kind {
	case history.SinceNow:
		return t.last.ID, true
	case history.SinceLast:
		return t.last.ID - min(since.N, t.last.ID), since.N <= uint64(len(t.messages)) || t.start.ID == 0
	case history.SinceCursor:
		if since.N == 0 && t.start.ID == 0 && since.Epoch == t.empty {
			return 0, true
		}
		here = since.Epoch == t.last.Epoch && t.start.ID <= since.N && since.N <= t.last.ID
		return since.N, here && !since.Check.Differs(t.cursorAt(since.N).Check)
	case history.SinceID:
		return since.N, t.start.ID <= since.N && since.N <= t.last.ID
	}
	return 0, false
}

// tooOld tells whether the first message after an id may have expired by now. Near its
// end only the log behind knows, whose clock may be another. mu is held.
func (t *tail) tooOld(after uint64, age time.Duration) bool {
	near := min(age/10, 5*time.Second)
	return age > 0 && after < t.last.ID && time.Since(t.messages[after-t.start.ID].Time) >= age-near
}

// cursorAt is the place behind a message that is here. mu is held.
func (t *tail) cursorAt(id uint64) history.Cursor {
	if id == t.start.ID {
		return t.start
	}
	return cursorOf(t.last.Epoch, &t.messages[id-t.start.ID-1])
}

func cursorOf(epoch string, m *history.Message) history.Cursor {
	return history.Cursor{Epoch: epoch, ID: m.ID, Check: history.CheckOf(m.Time)}
}

// pageAfter is at most limit messages after an id that is here. mu is held.
func (t *tail) pageAfter(after uint64, limit int) *history.Page {
	rest := t.messages[after-t.start.ID:]
	n := min(len(rest), limit)
	page := &history.Page{
		Start: t.cursorAt(after), Cursor: t.cursorAt(after + uint64(n)),
		More: n < len(rest), LastTime: t.lastTime,
	}
	if n > 0 {
		page.Messages = append(make([]history.Message, 0, n), rest[:n]...)
	}
	if few := len(t.messages) - history.FloodSample; few >= 0 {
		page.Flood = history.IsFlood(time.Since(t.messages[few].Time))
	}
	return page
}

// appended adds a message that this process has appended.
func (t *tail) appended(receipt history.Receipt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rung = max(t.rung, receipt.Cursor.ID) // by whoever appends
	if !t.loaded || t.doubted || receipt.Cursor.Epoch != t.last.Epoch || receipt.Cursor.ID != t.last.ID+1 {
		t.missing(receipt.Cursor)
		return
	}
	t.push(receipt.Message)
	if t.newer.ID <= t.last.ID && t.newer.Epoch == t.last.Epoch {
		t.newer = history.Cursor{}
	}
}

// heard tells whether a message is news.
func (t *tail) heard(at history.Cursor) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if news = t.missing(at); news {
		t.rung = max(t.rung, at.ID)
	}
	return news
}

// unheard tells whether there are messages that nobody has rung for: they were fetched
// before they were heard of. Then it is told once.
func (t *tail) unheard() (id uint64, are bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	are = t.last.ID > t.rung
	t.rung = t.last.ID
	return t.last.ID, are
}

// missing notes that a message is missing, if it is. mu is held.
func (t *tail) missing(at history.Cursor) bool {
	if t.loaded && at.Epoch == t.last.Epoch && at.ID <= t.last.ID {
		if t.start.ID <= at.ID && at.Check.Differs(t.cursorAt(at.ID).Check) {
			t.doubted, t.doubts = true, t.doubts+1 // the log behind was set back
		}
		return t.doubted
	}
	if at.Epoch != t.newer.Epoch || at.ID > t.newer.ID {
		t.newer = at
	}
	return true
}

func (t *tail) doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubted, t.doubts = true, t.doubts+1
}

// push adds the next message and drops the oldest beyond the window. mu is held.
func (t *tail) push(m history.Message) {
	t.messages = append(t.messages, m)
	t.last, t.lastTime = cursorOf(t.last.Epoch, &m), m.Time
	t.bytes += len(m.JSON)
	n, bytes := 0, t.bytes
	for len(t.messages)-n > t.window || bytes > windowBytes && len(t.messages)-n > 1 {
		bytes -= len(t.messages[n].JSON)
		n++
	}
	t.drop(n)
}

// drop drops the oldest n messages. mu is held.
func (t *tail) drop(n int) {
	if n == 0 {
		return
	}
	for i := range t.messages[:n] {
		t.bytes -= len(t.messages[i].JSON)
	}
	t.start = t.cursorAt(t.start.ID + uint64(n))
	clear(t.messages[:n]) // the array stays for a while
	t.messages = t.messages[n:]
}

// left drops messages up to one that has left the log behind. It may be under way to here.
func (t *tail) left(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.start.ID < id && id <= t.last.ID {
		t.drop(int(id - t.start.ID))
	}
	t.gone = max(t.gone, id)
}

func (t *tail) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	const each = 64 // bytes of a message without its JSON
	return tailBytes + len(t.channel) + t.bytes + each*cap(t.messages)
}

// asked is how often the log behind was asked.
func (t *tail) asked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fetches
}

// served tells whether a reader that came when the log behind had been asked so often before
// needs not ask it: others have since. If they failed it returns their error. Otherwise next is
// closed when one of them has asked once more.
func (t *tail) served(before int, ask bool) (next <-chan struct{}, is bool, failed error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !ask && t.complete():
		return nil, true, nil
	case t.ended > before && (!t.doubted || t.err != nil):
		return nil, true, t.err
	case t.fetchEnd == nil:
		t.fetchEnd = make(chan struct{})
	}
	return t.fetchEnd, false, nil
}

// refresh asks the log behind for what is missing, once for all who come at the same
// time. For those with ask set it asks after they came, which is when it had been asked so
// often before.
func (t *tail) refresh(ctx context.Context, behind history.Log, before int, ask bool) error {
	t.fetching.Lock()
	defer t.fetching.Unlock()
	t.mu.Lock()
	if t.fetches > before || !ask && t.complete() { // somebody else has asked
		defer t.mu.Unlock()
		return t.err
	}
	t.fetches++
	since := history.Back()
	if t.loaded {
		since = history.After(t.last)
	}
	began, newer, doubts := time.Now(), t.newer, t.doubts
	t.gone = 0
	t.mu.Unlock()

	page, err := t.read(ctx, behind, since)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended = t.fetches; t.fetchEnd != nil {
		close(t.fetchEnd)
		t.fetchEnd = nil
	}
	if t.err = err; err != nil {
		return err
	}
	t.fetched = began
	t.take(page, since.Kind == history.SinceCursor)
	if t.start.ID < t.gone && t.gone <= t.last.ID {
		t.drop(int(t.gone - t.start.ID)) // it left while the log behind was asked
	}
	// What was heard of before is in the answer; what was heard of since may not be.
	if t.newer == newer || t.newer.Epoch == t.last.Epoch && t.newer.ID <= t.last.ID {
		t.newer = history.Cursor{}
	}
	t.doubted = t.doubts != doubts
	return nil
}

// SetBack is what a log can do that may go back to an earlier state.
type SetBack interface {
	// SetBack gives a channel a new epoch, if it has this one still: the log does not
	// have what it has had.
	SetBack(ctx context.Context, channel, epoch string) error
}

// read reads what is behind a place, or the newest messages if that cannot be gone on from.
func (t *tail) read(ctx context.Context, behind history.Log, since history.Since) (*history.Page, error) {
	q := history.Query{Channel: t.channel, Since: since, Limit: t.window, Bytes: windowBytes, Fresh: true}
	page, err := behind.Read(ctx, q)
	if err != nil || page.Gap == nil && !page.More {
		return page, err
	}
	if log, can := behind.(SetBack); can && page.Gap != nil && page.Gap.Reason != history.Expired && page.Cursor.Epoch == since.Epoch {
		if err := log.SetBack(ctx, t.channel, since.Epoch); err != nil {
			return nil, err
		}
	}
	if q.Since = history.Back(); since.Kind == history.SinceCursor {
		page, err = behind.Read(ctx, q)
	}
	if err == nil && page.More { // the newest have left, or others came meanwhile
		q.Since = history.Now()
		page, err = behind.Read(ctx, q)
	}
	if err == nil {
		page.Gap = &history.Gap{} // it does not go on
	}
	return page, err
}

// take takes in what was read, behind what is here if it goes on from that. mu is held.
func (t *tail) take(page *history.Page, goesOn bool) {
	if !goesOn || page.Gap != nil || page.Cursor.Epoch != t.last.Epoch {
		t.reset(page)
		return
	}
	for _, m := range page.Messages {
		if m.ID == t.last.ID+1 { // else it was appended meanwhile
			t.push(m)
		}
	}
}

// reset begins anew. mu is held.
func (t *tail) reset(page *history.Page) {
	if page.Cursor.ID == 0 {
		t.empty = page.Cursor.Epoch
	}
	if page.Cursor.Epoch != t.last.Epoch {
		t.rung = 0
	}
	t.loaded, t.start, t.last, t.lastTime = true, page.Start, page.Start, page.LastTime
	t.last.Epoch = page.Cursor.Epoch
	t.messages, t.bytes = nil, 0
	for _, m := range page.Messages {
		t.push(m)
	}
}
