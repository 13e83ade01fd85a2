package poll

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	lru "github.com/hashicorp/golang-lru/v2"

	"pubsub/server/history"
	"pubsub/server/hub"
)

// transcripts are the conversations that were asked for last, so that a message
// is put into text once, and not for each of its readers.
type transcripts struct {
	hub       *hub.Hub
	byChannel *lru.Cache[string, *transcript]
}

// maxTranscripts bounds them: each has maxBytes at most.
const maxTranscripts = 64

func newTranscripts(h *hub.Hub) *transcripts {
	byChannel, err := lru.New[string, *transcript](maxTranscripts)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &transcripts{h, byChannel}
}

// now returns what has been said on a channel. To begin a transcript costs much, to
// bring one up to date little: begin is asked before the former.
func (t *transcripts) now(ctx context.Context, channel string, begin func() error) (said, error) {
	known, found := t.byChannel.Get(channel)
	if !found {
		if err := begin(); err != nil {
			return said{}, err
		}
		known = &transcript{hub: t.hub, channel: channel, since: history.All()}
		if other, found, _ := t.byChannel.PeekOrAdd(channel, known); found {
			known = other
		}
	}
	return known.now(ctx)
}

// transcript is one conversation as text.
type transcript struct {
	hub     *hub.Hub
	channel string

	mu    sync.Mutex // guards all below
	since history.Since
	at    version
	lines []line
	text  string // of all lines
	units int    // of the text
	whole int    // the same before any line had left, 0 if that is not known
}

// version is what changes when a message comes or leaves.
type version struct {
	dropped  history.Cursor
	lastTime time.Time
}

type line struct {
	id           uint64
	bytes, units int
}

// said is a conversation at a time.
type said struct {
	text   string
	fill   string // newlines behind it
	length int    // of both, in UTF-16 units as JavaScript counts
	cursor history.Cursor
}

// now returns what has been said so far.
//
// A reader knows by the length whether there is anything new. Once lines have left,
// a new line may be as long as those that it took the place of, so newlines at the
// end bring the length to the last id, modulo 64, and away from what it was before
// any had.
func (t *transcript) now(ctx context.Context) (said, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	page, err := t.hub.Read(ctx, []hub.Place{{Channel: t.channel, Since: history.All()}}, 0)
	if err != nil {
		return said{}, err
	}
	if at := (version{page.Cursors[0], page.LastTime}); t.at != at {
		if err := t.update(ctx, page.Cursors[0]); err != nil {
			return said{}, err
		}
		t.at = at
	}
	cursor := t.since.Cursor()
	fill := 0
	if dropped := len(t.lines) == 0 || t.lines[0].id > 1; dropped {
		const wheel = 64
		fill = int((cursor.ID + wheel - uint64(t.units)%wheel) % wheel)
		if t.whole > 0 && t.units+fill == t.whole {
			fill += wheel
		}
	} else {
		t.whole = t.units
	}
	return said{t.text, strings.Repeat("\n", fill), t.units + fill, cursor}, nil
}

// update adds the messages that came and drops those up to a place. mu is held.
func (t *transcript) update(ctx context.Context, dropped history.Cursor) error {
	var added strings.Builder
	for more := true; more; {
		page, err := t.hub.Read(ctx, []hub.Place{{Channel: t.channel, Since: t.since}}, math.MaxInt)
		if err != nil {
			return err
		}
		if page.Gap != nil && page.Gap.Reason != history.Expired {
			t.lines, t.text, t.units = nil, "", 0
		}
		for _, m := range page.Messages {
			text := transcribe(m)
			t.lines = append(t.lines, line{m.ID, len(text), utf16Len(text)})
			added.WriteString(text)
		}
		t.since, more = history.After(page.Cursors[0]), page.More
	}
	t.text += added.String()
	t.cut(dropped.ID)
	return nil
}

// cut drops the lines up to an id, and what is more than one answer may hold. mu is
// held.
func (t *transcript) cut(dropped uint64) {
	n, left := 0, 0
	for t.units = 0; n < len(t.lines); n++ {
		if line := t.lines[n]; line.id > dropped && len(t.text)-left <= maxBytes {
			break
		}
		left += t.lines[n].bytes
	}
	t.lines, t.text = t.lines[n:], t.text[left:]
	for _, line := range t.lines {
		t.units += line.units
	}
}

// transcribe writes a message as "nick: message" and a newline.
func transcribe(m history.Message) string {
	var said map[string]any
	_ = json.Unmarshal(m.JSON, &said) // a struct would take nick for NICK
	if said["nick"] == nil {
		said["nick"] = "unknown"
	}
	return oneLine(said["nick"]) + ": " + oneLine(said["message"]) + "\n"
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// oneLine is a value of a message as text.
func oneLine(value any) string {
	text, ok := value.(string)
	if !ok {
		raw, _ := json.Marshal(value) // it was JSON before
		text = string(raw)
	}
	return lineEnds.Replace(text)
}

func utf16Len(text string) (n int) {
	for _, c := range text {
		n += utf16.RuneLen(c)
	}
	return n
}
