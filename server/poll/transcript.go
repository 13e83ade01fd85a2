package poll

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/lru"
)

// transcripts caches the transcripts that were asked for last, so that a message is turned
// into text once, and not for each client. Its methods are safe for concurrent use.
type transcripts struct {
	hub       *hub.Hub
	byChannel *lru.Shared[string, *transcript]
}

// maxTranscripts bounds the memory of transcripts, as each has at most maxBytes.
const maxTranscripts = 64

func newTranscripts(h *hub.Hub) *transcripts {
	return &transcripts{h, lru.NewShared[string, *transcript](maxTranscripts)}
}

// now returns the current transcript of a channel. Making one costs much, and updating one
// costs little. So before one is made, admit is called. Its error is returned.
func (t *transcripts) now(ctx context.Context, channel string, admit func() error) (snapshot, error) {
	known, found := t.byChannel.Get(channel)
	if !found {
		if err := admit(); err != nil {
			return snapshot{}, err
		}
		known = &transcript{hub: t.hub, channel: channel, since: history.All()}
		if other, found, _ := t.byChannel.PeekOrAdd(channel, known); found {
			known = other
		}
	}
	return known.now(ctx)
}

// transcript is the messages of one channel as text, one line for each.
type transcript struct {
	hub     *hub.Hub
	channel string

	mu      sync.Mutex // guards the fields below; held over hub.Read, which may wait
	since   history.Since
	version version // of the log when the transcript was last updated
	lines   []line
	text    string // of all lines
	units   int    // UTF-16 units of the text
	whole   int    // units before the first line was dropped; 0 if unknown
}

// version changes whenever a message is added to the channel or dropped from it.
type version struct {
	dropped  history.Cursor
	lastTime time.Time
}

type line struct {
	id           uint64
	bytes, units int
}

// snapshot is the state of a transcript at one time.
type snapshot struct {
	text   string
	fill   string // newlines to send after the text
	length int    // of text and fill, in UTF-16 units
	cursor history.Cursor
}

// now updates the transcript and returns it. It waits for others that do so.
func (t *transcript) now(ctx context.Context) (snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	page, err := t.hub.Read(ctx, []hub.Place{{Channel: t.channel, Since: history.All()}}, 0)
	if err != nil {
		return snapshot{}, err
	}
	if v := (version{page.Cursors[0], page.LastTime}); t.version != v {
		if err := t.update(ctx, page.Cursors[0]); err != nil {
			return snapshot{}, err
		}
		t.version = v
	}
	cursor := t.since.Cursor()
	fill := t.fill(cursor.ID)
	return snapshot{t.text, strings.Repeat("\n", fill), t.units + fill, cursor}, nil
}

// fill returns how many newlines to send after the text. mu is held.
//
// A client knows by the length only whether there is anything new. After a line was dropped,
// the text may have the same length as before, because the new line may be as long as the
// dropped one. So newlines make the length equal to the last id, modulo 64. They also make it
// differ from the length before any line was dropped.
func (t *transcript) fill(lastID uint64) int {
	const wheel = 64
	if len(t.lines) > 0 && t.lines[0].id == 1 { // no line was dropped
		t.whole = t.units
		return 0
	}
	fill := int((lastID + wheel - uint64(t.units)%wheel) % wheel)
	if t.whole > 0 && t.units+fill == t.whole {
		fill += wheel
	}
	return fill
}

// update adds the messages after since, and drops the lines up to a cursor. mu is held.
func (t *transcript) update(ctx context.Context, dropped history.Cursor) error {
	for more := true; more; {
		page, err := t.hub.Read(ctx, []hub.Place{{Channel: t.channel, Since: t.since}}, math.MaxInt)
		if err != nil {
			return err
		}
		if page.Gap != nil && page.Gap.Reason != history.Expired {
			t.lines, t.text, t.units = nil, "", 0
		}
		t.add(page.Messages)
		t.since, more = history.After(page.Cursors[0]), page.More
	}
	t.cut(dropped.ID)
	return nil
}

// add adds a page of messages. mu is held.
func (t *transcript) add(messages []history.Message) {
	var text strings.Builder
	text.WriteString(t.text)
	for _, m := range messages {
		said := transcribe(m)
		t.lines = append(t.lines, line{m.ID, len(said), utf16Len(said)})
		text.WriteString(said)
	}
	t.text = text.String()
}

// cut drops the lines up to an id, and more if the text is too long for one answer. mu is
// held.
func (t *transcript) cut(dropped uint64) {
	n, bytes := 0, 0
	for ; n < len(t.lines); n++ {
		if t.lines[n].id > dropped && len(t.text)-bytes <= maxBytes {
			break
		}
		bytes += t.lines[n].bytes
	}
	t.lines, t.text, t.units = t.lines[n:], t.text[bytes:], 0
	for _, l := range t.lines {
		t.units += l.units
	}
}

// transcribe writes a message as "nick: message" and a newline.
func transcribe(m history.Message) string {
	var object map[string]any // not a struct, which would take NICK for the nick, too
	_ = json.Unmarshal(m.JSON, &object)
	if object["nick"] == nil {
		object["nick"] = "unknown"
	}
	return oneLine(object["nick"]) + ": " + oneLine(object["message"]) + "\n"
}

var lineEnds = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// oneLine returns a value of a message as text without line ends.
func oneLine(value any) string {
	text, ok := value.(string)
	if !ok {
		raw, _ := json.Marshal(value) // the value came from JSON, so this cannot fail
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
