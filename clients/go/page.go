package pubsub

import (
	"errors"
	"fmt"
	"slices"
)

// Page is the answer to a poll: what came after a place.
type Page struct {
	Messages []Message // channel by channel, in order within each
	Cursor   string    // to go on with; see [Message]
	More     bool      // the server has more already
	Gap      *Gap      // what is missing before Messages; nil if nothing is
}

// answer is a page as the server writes it.
type answer struct {
	Messages      []Message
	Cursor, Start string
	More          bool
	Gap           *Gap
}

// page makes a page of an answer to a reader at a position, which it moves behind it.
func (a *answer) page(at position, channels []string) (*Page, error) {
	if a.Cursor == "" {
		return nil, errors.New("something else answers for the server: the page has no cursor")
	}
	starts, ends := slices.Clone(at), slices.Clone(at)
	if err := errors.Join(starts.move(a.Start), ends.move(a.Cursor)); err != nil {
		return nil, err
	}
	page := &Page{More: a.More}
	for i := range at {
		if isWord(at[i].cursor) {
			at[i].cursor = starts[i].cursor
		}
	}
	if a.Gap != nil {
		channel, err := channelOf(&a.Gap.Channel, channels)
		if err != nil {
			return nil, err
		}
		at[channel].cursor = starts[channel].cursor
		page.tell(a.Gap, channel, at)
	}
	if err := page.fill(a.Messages, at, starts, ends, channels); err != nil {
		return nil, err
	}
	for i := range at {
		at[i].cursor = ends[i].cursor
	}
	page.Cursor = at.String()
	return page, nil
}

// tell tells a gap to a reader at a position behind it.
func (p *Page) tell(gap *Gap, channel int, at position) {
	if p.Gap = at.pass(channel, gap); p.Gap != nil {
		p.Gap.Cursor = at.String()
	}
}

// fill takes the messages that the reader does not have. After each, its channel is so many
// messages after its start, as the server says only where all of them end.
func (p *Page) fill(messages []Message, at, starts, ends position, channels []string) error {
	left := make([]int, len(channels))
	for i := range messages {
		channel, err := channelOf(&messages[i].Channel, channels)
		if err != nil {
			return err
		}
		left[channel]++
	}
	shown, read := slices.Clone(at), make([]uint64, len(channels))
	for _, message := range messages {
		channel := slices.Index(channels, message.Channel)
		left[channel]--
		read[channel]++
		had := at.had(channel)
		shown[channel] = place{starts[channel].cursor, read[channel]}
		if left[channel] == 0 {
			shown[channel] = place{ends[channel].cursor, at[channel].past}
		}
		if !had {
			message.Cursor = shown.String()
			p.Messages = append(p.Messages, message)
		}
	}
	return nil
}

// channelOf is which of the channels a name means. Where one channel is asked for the
// server may leave it out, and it is filled in.
func channelOf(name *string, channels []string) (int, error) {
	if *name == "" && len(channels) == 1 {
		*name = channels[0]
	}
	if i := slices.Index(channels, *name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("the server answered for the channel %q, which was not asked for", *name)
}
