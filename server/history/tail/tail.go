package tail

import (
	"context"
	"sync"
	"time"

	"pubsub/server/history"
)

// tail holds the newest messages of a channel.
type tail struct {
	channel string
	window  int       // messages at most
	usedAt  time.Time // guarded by Log.mu
	counted int       // bytes; guarded by Log.mu

	fetching sync.Mutex // held over reads of the log behind, which may wait; tail.mu may be taken under it

	mu       sync.Mutex    // guards the fields below; no other lock is taken under it
	fetches  int           // that have begun
	fetchEnd chan struct{} // closed when the next fetch ends; nil if no reader waits for that
	ended    int           // number of the last fetch that has ended
	fetched  time.Time     // when the last successful fetch began
	err      error         // of the last fetch
	loaded   bool          // the fields below hold a contiguous run; newer and doubted say what may be missing after it
	start    history.Cursor
	messages []history.Message // the ids have no holes; the first is after start
	last     history.Cursor
	lastTime time.Time
	empty    string // the epoch of the log when the channel had no message yet
	bytes    int

	rung    uint64         // the highest id of the epoch for which Ring was called
	newer   history.Cursor // the newest message that was heard of and may be missing; its epoch is "" if there is none
	doubted bool           // any message may be missing
	doubts  int            // how often doubted was set
	gone    uint64         // the highest id that has left the log since the last fetch began
}

// complete tells whether no message is known to be missing. mu is held.
func (t *tail) complete() bool {
	return t.loaded && !t.doubted && t.newer.Epoch == "" && time.Since(t.fetched) < askAfter
}

// page serves a query if it can. ask tells that the log behind must be asked first. old tells
// that only the log behind can serve the query.
func (t *tail) page(q history.Query, age time.Duration, ask bool) (page *history.Page, old bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ask || !t.complete() {
		return nil, false
	}
	page = t.serve(q, age)
	return page, page == nil
}

// pageAsked is page after the log behind was asked. Messages that came since then may be left
// out.
func (t *tail) pageAsked(q history.Query, age time.Duration) *history.Page {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.loaded || t.doubted {
		return nil
	}
	return t.serve(q, age)
}

// serve serves a query. It returns nil if only the log behind can. mu is held.
func (t *tail) serve(q history.Query, age time.Duration) *history.Page {
	after, here := t.find(q.Since)
	if !here || t.tooOld(after, age) {
		return nil
	}
	return t.pageAfter(after, q.Limit)
}

// pageWhileAway serves a query with a cursor while the log behind cannot be asked.
func (t *tail) pageWhileAway(q history.Query, age time.Duration) *history.Page {
	t.mu.Lock()
	defer t.mu.Unlock()
	if after, here := t.find(q.Since); t.loaded && here && !t.tooOld(after, age) {
		return t.pageAfter(after, q.Limit)
	}
	return &history.Page{Start: q.Since.Cursor(), Cursor: q.Since.Cursor(), LastTime: t.lastTime}
}

// find returns the id after which a reader goes on. here is false if that is not in the tail.
// mu is held.
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

// tooOld tells whether the first message after an id may have expired. Shortly before that,
// only the log behind knows, because its clock may differ. mu is held.
func (t *tail) tooOld(after uint64, age time.Duration) bool {
	near := min(age/10, 5*time.Second)
	return age > 0 && after < t.last.ID && time.Since(t.messages[after-t.start.ID].Time) >= age-near
}

// cursorAt returns the cursor after a message of the tail. mu is held.
func (t *tail) cursorAt(id uint64) history.Cursor {
	if id == t.start.ID {
		return t.start
	}
	return cursorOf(t.last.Epoch, &t.messages[id-t.start.ID-1])
}

func cursorOf(epoch string, m *history.Message) history.Cursor {
	return history.Cursor{Epoch: epoch, ID: m.ID, Check: history.CheckOf(m.Time)}
}

// pageAfter returns at most limit messages after an id of the tail. mu is held.
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
	t.rung = max(t.rung, receipt.Cursor.ID) // the caller of Append rings
	if !t.loaded || t.doubted || receipt.Cursor.Epoch != t.last.Epoch || receipt.Cursor.ID != t.last.ID+1 {
		t.missing(receipt.Cursor)
		return
	}
	t.push(receipt.Message)
	if t.newer.ID <= t.last.ID && t.newer.Epoch == t.last.Epoch {
		t.newer = history.Cursor{}
	}
}

// heard tells whether a message is news, for which Ring must be called.
func (t *tail) heard(at history.Cursor) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if news = t.missing(at); news {
		t.rung = max(t.rung, at.ID)
	}
	return news
}

// unheard tells whether there are messages for which Ring was not called: they were fetched
// before they were heard of. It returns true once for them.
func (t *tail) unheard() (id uint64, are bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	are = t.last.ID > t.rung
	t.rung = t.last.ID
	return t.last.ID, are
}

// missing notes a message that may be missing, and tells whether it may be. mu is held.
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

// push adds the next message, and drops the oldest beyond the window. mu is held.
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
	clear(t.messages[:n]) // frees the messages, as the array stays for a while
	t.messages = t.messages[n:]
}

// left drops messages up to an id that has left the log behind. A fetch may still return
// them.
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

// asked returns how often the log behind was asked.
func (t *tail) asked() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fetches
}

// served tells whether a reader need not ask the log behind. With ask set, that is so only if
// other readers have asked since asked returned before. failed is the error of their fetch. If
// enough is false, next is closed when the next fetch ends.
func (t *tail) served(before int, ask bool) (next <-chan struct{}, enough bool, failed error) {
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

// refresh asks the log behind for what is missing, once for all readers that come at the same
// time. With ask set, a fetch counts only if it began since asked returned before.
func (t *tail) refresh(ctx context.Context, l *Log, before int, ask bool) error {
	t.fetching.Lock()
	defer t.fetching.Unlock()
	t.mu.Lock()
	if t.fetches > before || !ask && t.complete() { // another reader has asked
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

	page, err := t.read(ctx, l, since)
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
		t.drop(int(t.gone - t.start.ID)) // they left while the log behind was asked
	}
	// The fetch has all that was heard of before it began. Messages heard of since then may be
	// missing.
	if t.newer == newer || t.newer.Epoch == t.last.Epoch && t.newer.ID <= t.last.ID {
		t.newer = history.Cursor{}
	}
	t.doubted = t.doubts != doubts
	return nil
}

// read reads the messages after a place. If they do not follow on that, it reads the newest
// ones, and the page has a gap.
func (t *tail) read(ctx context.Context, l *Log, since history.Since) (*history.Page, error) {
	q := history.Query{Channel: t.channel, Since: since, Limit: t.window, Bytes: windowBytes, Fresh: true}
	page, err := l.behind.Read(ctx, q)
	if err != nil || page.Gap == nil && !page.More {
		return page, err
	}
	if l.options.SetBack != nil && page.Gap != nil && page.Gap.Reason != history.Expired && page.Cursor.Epoch == since.Epoch {
		if err := l.options.SetBack(ctx, t.channel, since.Epoch); err != nil {
			return nil, err
		}
	}
	if q.Since = history.Back(); since.Kind == history.SinceCursor {
		page, err = l.behind.Read(ctx, q)
	}
	if err == nil && page.More { // the newest messages have left, or others came meanwhile
		q.Since = history.Now()
		page, err = l.behind.Read(ctx, q)
	}
	if err == nil {
		page.Gap = &history.Gap{} // marks that the page does not follow on the tail
	}
	return page, err
}

// take adds the messages that were read to the tail, or replaces it if they do not follow on
// it. mu is held.
func (t *tail) take(page *history.Page, goesOn bool) {
	if !goesOn || page.Gap != nil || page.Cursor.Epoch != t.last.Epoch {
		t.reset(page)
		return
	}
	for _, m := range page.Messages {
		if m.ID == t.last.ID+1 { // otherwise it was appended meanwhile
			t.push(m)
		}
	}
}

// reset replaces the tail by a page. mu is held.
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
