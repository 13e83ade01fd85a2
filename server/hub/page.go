package hub

import (
	"context"
	"strings"
	"time"

	"pubsub/server/history"
)

// Place is where somebody is in a channel.
type Place struct {
	Channel string
	Since   history.Since
}

// Page is what the channels of some places have since them.
type Page struct {
	Messages []history.Message // channel by channel, in order within each
	Cursors  []history.Cursor  // of each place: what is up to here is in Messages or in the gap
	More     bool              // there is more already
	Gap      *history.Gap      // nil if there is none; that of another channel comes with a later page
	Waited   bool              // nothing was there at first
	LastTime time.Time         // of the newest message of the channels, zero if none is known of

	flood bool
	ends  []int // of each place's messages; nil where there is one place
	one   [1]history.Cursor
}

// tells is whether there is anything in a page.
func (p *Page) tells() bool { return len(p.Messages) > 0 || p.Gap != nil }

// Cursor is the text from which [history.ParseSince] goes on, for several channels
// with commas between theirs.
func (p *Page) Cursor() string { return string(p.AppendCursor(nil)) }

// AppendCursor appends the same text.
func (p *Page) AppendCursor(b []byte) []byte {
	for i := range p.Cursors {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.Cursors[i].Append(b)
	}
	return b
}

// Size is how many bytes the messages have.
func (p *Page) Size() (bytes int) {
	for i := range p.Messages {
		bytes += len(p.Messages[i].JSON)
	}
	return bytes
}

// Cut leaves as many messages as have so many bytes together, and at least one. What
// it takes away comes with the next page.
func (p *Page) Cut(bytes int) {
	for i := range p.Messages {
		if bytes -= len(p.Messages[i].JSON); bytes < 0 && i > 0 {
			p.cut(i)
			return
		}
	}
}

// cut leaves the first n messages.
func (p *Page) cut(n int) {
	begin := 0
	for i := range p.Cursors {
		end := len(p.Messages)
		if p.ends != nil {
			end = p.ends[i]
		}
		switch {
		case end <= n, begin == end: // all of its messages stay
		case begin < n:
			p.Cursors[i].ID = p.Messages[n-1].ID
		default:
			p.Cursors[i].ID = p.Messages[begin].ID - 1
		}
		begin = end
	}
	p.Messages, p.More, p.ends = p.Messages[:n], true, nil
}

// Read returns what there is since some places now, at most limit messages, of which
// each channel has its share.
func (h *Hub) Read(ctx context.Context, places []Place, limit int) (*Page, error) {
	page := new(Page)
	page.Cursors = page.one[:0]
	if len(places) > 1 {
		page.Cursors, page.ends = make([]history.Cursor, 0, len(places)), make([]int, 0, len(places))
	}
	for i := range places {
		left, rest := limit-len(page.Messages), len(places)-i
		found, err := h.log.Read(ctx, places[i].Channel, places[i].Since, (left+rest-1)/rest)
		if err != nil {
			return nil, err
		}
		page.add(&places[i], found)
	}
	return page, nil
}

// add adds what a place's channel has.
func (p *Page) add(place *Place, found *history.Page) {
	several := p.ends != nil
	if found.Gap != nil && p.Gap != nil { // an answer tells one gap
		*found = history.Page{Cursor: place.Since.Cursor(), More: true}
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
	p.Cursors = append(p.Cursors, found.Cursor)
	if several {
		p.ends = append(p.ends, len(p.Messages))
	}
	p.More, p.flood = p.More || found.More, p.flood || found.Flood
	if found.LastTime.After(p.LastTime) {
		p.LastTime = found.LastTime
	}
}
