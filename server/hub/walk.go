package hub

import (
	"iter"
	"slices"

	"pubsub/server/history"
)

// Walk returns the messages, each with the cursors after it. The slice of cursors is reused:
// do not keep it.
func (p *Page) Walk() iter.Seq2[*history.Message, []history.Cursor] {
	return func(yield func(*history.Message, []history.Cursor) bool) {
		at := slices.Clone(p.Starts)
		for i := range p.Cursors {
			begin, end := p.of(i)
			for n := begin; n < end; n++ {
				m := &p.Messages[n]
				at[i] = history.Cursor{Epoch: p.Cursors[i].Epoch, ID: m.ID, Check: history.CheckOf(m.Time)}
				if !yield(m, at) {
					return
				}
			}
			at[i] = p.Cursors[i]
		}
	}
}

// of returns the range of a place's messages.
func (p *Page) of(place int) (begin, end int) {
	if p.ends == nil {
		return 0, len(p.Messages)
	}
	if place > 0 {
		begin = p.ends[place-1]
	}
	return begin, p.ends[place]
}

// Rest returns the page without the messages up to at. ok is false if a reader at that place
// has not got all that comes before the page, or reads another log. A place of at that is
// after the page stays as it is.
func (p *Page) Rest(at []history.Cursor) (rest *Page, ok bool) {
	rest = &Page{Starts: slices.Clone(at), Cursors: slices.Clone(p.Cursors), More: p.More, ends: make([]int, 0, len(at))}
	for i, start := range p.Starts {
		if p.Gap != nil || at[i].Epoch != p.Cursors[i].Epoch || at[i].ID < start.ID || at[i].Check.Differs(p.checkAt(i, at[i].ID)) {
			return nil, false
		}
		begin, end := p.of(i)
		for begin < end && p.Messages[begin].ID <= at[i].ID {
			begin++
		}
		rest.Messages = append(rest.Messages, p.Messages[begin:end]...)
		rest.ends = append(rest.ends, len(rest.Messages))
		if at[i].ID > p.Cursors[i].ID {
			rest.Cursors[i] = at[i]
		}
	}
	return rest, true
}

// checkAt returns the check of the message with an id, 0 if it is not known here.
func (p *Page) checkAt(place int, id uint64) history.Check {
	switch begin, end := p.of(place); {
	case id == p.Starts[place].ID:
		return p.Starts[place].Check
	case id == p.Cursors[place].ID:
		return p.Cursors[place].Check
	case begin < end && p.Messages[begin].ID <= id && id <= p.Messages[end-1].ID:
		return history.CheckOf(p.Messages[begin+int(id-p.Messages[begin].ID)].Time)
	}
	return 0
}
