package hub

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"pubsub/server/history"
)

// Place is a channel, and where in it a reader begins.
type Place struct {
	Channel string
	Since   history.Since
	By      netip.Addr // for whom the log is read, see [history.Query]
}

// Page holds the messages of one or several channels after their places.
type Page struct {
	Messages []history.Message // channel by channel, in order within each
	Starts   []history.Cursor  // for each place, the cursor before its first message
	Cursors  []history.Cursor  // for each place; everything up to here is in Messages or in the gap
	More     bool              // the log already has more messages
	Gap      *history.Gap      // nil if there is none; that of a second channel comes with a later page
	Waited   bool              // the follower had to wait
	LastTime time.Time         // timestamp of the newest message in the channels; zero if there is none

	flood bool
	ends  []int             // for each place, where its messages end in Messages
	one   [2]history.Cursor // backs Starts and Cursors of a single place, to save an allocation
}

// HasNews tells whether a page has a message or a gap.
func (p *Page) HasNews() bool { return len(p.Messages) > 0 || p.Gap != nil }

// Cursor returns the text with which a client goes on, see [history.ParseSince]. For several
// channels it has commas.
func (p *Page) Cursor() string { return string(p.AppendCursor(nil)) }

// AppendCursor appends the text of Cursor.
func (p *Page) AppendCursor(b []byte) []byte { return AppendCursors(b, p.Cursors) }

// AppendStart appends the text of the place before the first message.
func (p *Page) AppendStart(b []byte) []byte { return AppendCursors(b, p.Starts) }

// AppendCursors appends cursors in the form of [Page.Cursor].
func AppendCursors(b []byte, cursors []history.Cursor) []byte {
	for i := range cursors {
		if i > 0 {
			b = append(b, ',')
		}
		b = cursors[i].Append(b)
	}
	return b
}

// Size returns how many bytes of JSON the messages have.
func (p *Page) Size() (bytes int) {
	for i := range p.Messages {
		bytes += len(p.Messages[i].JSON)
	}
	return bytes
}

// Cut drops messages from the end until at most the given bytes are left, but keeps one
// message. It sets the cursors back, so that the next page has what was dropped.
func (p *Page) Cut(bytes int) {
	for i := range p.Messages {
		if bytes -= len(p.Messages[i].JSON); bytes < 0 && i > 0 {
			p.cut(i)
			return
		}
	}
}

// Empty drops all messages as Cut does. It keeps the gap.
func (p *Page) Empty() { p.cut(0) }

// cut keeps the first n messages. The cursors move back.
func (p *Page) cut(n int) {
	begin, all := 0, len(p.Messages)
	for i := range p.Cursors {
		end := all
		if p.ends != nil {
			end = p.ends[i]
			p.ends[i] = min(end, n)
		}
		switch {
		case end <= n, begin == end: // all messages of this place stay
		case begin < n:
			p.Cursors[i].ID, p.Cursors[i].Check = p.Messages[n-1].ID, history.CheckOf(p.Messages[n-1].Time)
		default:
			p.Cursors[i] = p.Starts[i]
		}
		begin = end
	}
	clear(p.Messages[n:]) // frees the dropped messages
	p.Messages, p.More = p.Messages[:n], true
}

// CutOldest is Cut for a page of one channel that was read backwards: it drops messages from
// the beginning, and moves the start.
func (p *Page) CutOldest(bytes int) {
	for i := len(p.Messages) - 1; i >= 0; i-- {
		if bytes -= len(p.Messages[i].JSON); bytes < 0 && i < len(p.Messages)-1 {
			oldest := &p.Messages[i]
			p.Starts[0].ID, p.Starts[0].Check = oldest.ID, history.CheckOf(oldest.Time)
			p.Messages = p.Messages[i+1:]
			return
		}
	}
}

// PageBytes is how many bytes of messages a page should have at most, unless it has a single
// message. A page from Read may have more: [Page.Cut] it.
const PageBytes = 256 << 10

// Read returns what the log has after the places: at most limit messages, shared out among
// the channels. Each channel gets one at least, unless limit is 0. Read does not wait for
// messages. It reads even if ctx has ended, so that clients get what is there in a drain. The
// errors are those of [history.Log.Read].
func (h *Hub) Read(ctx context.Context, places []Place, limit int) (*Page, error) {
	return h.read(ctx, places, limit, PageBytes, true)
}

// ReadUpTo is Read with a bound on bytes, which is shared out among the channels. A log that
// does not copy its messages may return more.
func (h *Hub) ReadUpTo(ctx context.Context, places []Place, limit, bytes int) (*Page, error) {
	return h.read(ctx, places, limit, bytes, true)
}

// Peek is ReadUpTo for a reader that waits for a ring afterwards: messages that are not known
// here yet may be left out.
func (h *Hub) Peek(ctx context.Context, places []Place, limit, bytes int) (*Page, error) {
	return h.read(ctx, places, limit, bytes, false)
}

func (h *Hub) read(ctx context.Context, places []Place, limit, bytes int, fresh bool) (*Page, error) {
	ctx = context.WithoutCancel(ctx)
	page := new(Page)
	page.Starts, page.Cursors = page.one[:0:1], page.one[1:1]
	if n := len(places); n > 1 {
		both := make([]history.Cursor, 2*n)
		page.Starts, page.Cursors, page.ends = both[:0:n], both[n:n], make([]int, 0, n)
	}
	read := 0 // bytes so far
	for i := range places {
		rest := len(places) - i
		found, err := h.log.Read(ctx, history.Query{
			Channel: places[i].Channel, Since: places[i].Since, By: places[i].By, Fresh: fresh,
			Limit: share(limit-len(page.Messages), rest, min(limit, 1)), Bytes: share(bytes-read, rest, 1),
		})
		if err != nil {
			return nil, err
		}
		for i := range found.Messages {
			read += len(found.Messages[i].JSON)
		}
		page.add(&places[i], found)
	}
	return page, nil
}

// share returns a fair part of what is left for one of several places. Otherwise a busy
// channel could keep the others out.
func share(left, of, atLeast int) int { return max((left+of-1)/of, atLeast) }

// add adds what was found after a place. A page has one gap only: a place with a second one
// is put off to the next page.
func (p *Page) add(place *Place, found *history.Page) {
	several := p.ends != nil
	if found.Gap != nil && p.Gap != nil {
		*found = history.Page{Start: place.Since.Cursor(), Cursor: place.Since.Cursor(), More: true}
	}
	if found.Gap != nil {
		p.Gap = found.Gap
		if several {
			p.Gap.Channel = strings.Clone(place.Channel)
		}
	}
	if len(p.Messages) == 0 {
		p.Messages = found.Messages
	} else {
		p.Messages = append(p.Messages, found.Messages...)
	}
	p.Starts, p.Cursors = append(p.Starts, found.Start), append(p.Cursors, found.Cursor)
	if several {
		p.ends = append(p.ends, len(p.Messages))
	}
	p.More, p.flood = p.More || found.More, p.flood || found.Flood
	if found.LastTime.After(p.LastTime) {
		p.LastTime = found.LastTime
	}
}
