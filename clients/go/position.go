package pubsub

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// position is where a reader is in each of its channels, in the order of the request.
type position []place

// place is where a reader is in one channel.
type place struct {
	cursor string // of the server; or where to begin: now, all or -N
	past   uint64 // how many messages after it the reader has already
}

// parsePosition reads what [position.String] returns. One word may stand for all channels.
func parsePosition(text string, channels int) (position, error) {
	if text == "" {
		text = "now"
	}
	parts := strings.Split(text, ",")
	if len(parts) == 1 && isWord(text) {
		parts = slices.Repeat(parts, channels)
	}
	if len(parts) != channels {
		return nil, wrong{fmt.Errorf("the cursor %q is of %d channels, and %d are asked for", text, len(parts), channels)}
	}
	p := make(position, channels)
	for i, part := range parts {
		cursor, past, found := strings.Cut(part, "+")
		p[i].cursor = cursor
		if !found {
			continue
		}
		var err error
		if p[i].past, err = strconv.ParseUint(past, 10, 64); err != nil {
			return nil, wrong{fmt.Errorf("%q is no cursor", part)}
		}
	}
	return p, nil
}

// isWord tells whether a place is not a cursor, but a word for where to begin.
func isWord(text string) bool {
	return text == "now" || text == "all" || strings.HasPrefix(text, "-")
}

// hasWord tells whether a place is not known yet. A request that is cut would lose it.
func (p position) hasWord() bool {
	return slices.ContainsFunc(p, func(at place) bool { return isWord(at.cursor) })
}

// String returns the text of [Message].Cursor.
func (p position) String() string {
	return p.join(func(at place) string {
		if at.past == 0 {
			return at.cursor
		}
		return at.cursor + "+" + strconv.FormatUint(at.past, 10)
	})
}

// since is what the server is asked for. It sends again what the reader has already.
func (p position) since() string { return p.join(func(at place) string { return at.cursor }) }

func (p position) join(text func(place) string) string {
	texts := make([]string, len(p))
	for i, at := range p {
		texts[i] = text(at)
	}
	return strings.Join(texts, ",")
}

// move sets all cursors to those of the server.
func (p position) move(joint string) error {
	to, err := parsePosition(joint, len(p))
	if err != nil {
		return fmt.Errorf("the server's answer is of other channels: %v", err)
	}
	for i := range p {
		p[i].cursor = to[i].cursor
	}
	return nil
}

// had tells whether the reader has the next message of a channel already.
func (p position) had(channel int) bool {
	if p[channel].past == 0 {
		return false
	}
	p[channel].past--
	return true
}

// pass goes over a gap in a channel. It returns nil if the reader had all that is missing.
func (p position) pass(channel int, gap *Gap) *Gap {
	at := &p[channel]
	had := min(at.past, gap.Missed)
	if gap.Reason != "expired" {
		at.past = 0 // those were other messages
		return gap
	}
	at.past -= had
	if gap.Missed -= had; gap.Missed == 0 && had > 0 {
		return nil
	}
	return gap
}
