package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	pubsub "pubsub/clients/go"
)

// printer prints what a reader is given.
type printer interface {
	message(*pubsub.Message) error
	gap(*pubsub.Gap) error
}

// lines prints JSON for programs.
type lines struct{ w io.Writer }

func (l lines) message(m *pubsub.Message) error {
	_, err := fmt.Fprintf(l.w, "%s\n", escaped(m.JSON))
	return err
}

func (l lines) gap(gap *pubsub.Gap) error {
	said := map[string]any{"reason": gap.Reason, "channel": gap.Channel}
	if gap.Reason == "expired" {
		said["missed"] = gap.Missed
	}
	return json.NewEncoder(l.w).Encode(map[string]any{"gap": said, "cursor": gap.Cursor})
}

// plain prints for people.
type plain struct {
	stdout, stderr  io.Writer
	several, colour bool
}

func (p plain) message(m *pubsub.Message) error {
	parts := []string{p.paint(dim, when(m.Time))}
	if p.several {
		parts = append(parts, p.paint(dim, clean(m.Channel)))
	}
	if m.Nick != "" {
		parts = append(parts, p.paint(colourOf(m.Nick), clean(m.Nick)+":"))
	}
	text := m.Text
	if text == "" {
		text = string(m.JSON) // what programs post
	}
	_, err := fmt.Fprintln(p.stdout, strings.Join(append(parts, clean(text)), " "))
	return err
}

// gap goes beside the messages, where a script that reads those does not stumble over it.
func (p plain) gap(gap *pubsub.Gap) error {
	_, err := fmt.Fprintln(p.stderr, p.paint(dim, "("+clean(gap.Error())+")"))
	return err
}

// when leaves the day away where it is today.
func when(at time.Time) string {
	if at.Format(time.DateOnly) == time.Now().Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}

// escaped writes the control characters that JSON allows in strings as JSON can: the output may
// be a terminal's.
func escaped(text []byte) []byte {
	acts := func(r rune) bool { return 0x7f <= r && r <= 0x9f }
	if !bytes.ContainsFunc(text, acts) {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if acts(r) {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// Printable returns a text of several lines, such as an error with what a server said, without
// characters that would do something to a terminal.
func Printable(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines, "\n")
}

// clean shows characters that would do something to a terminal, or make one message look
// like two, as Go writes them: strangers post what they like.
func clean(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%q", r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

const dim = "2"

// colours are those of terminals that can be read on black and on white.
var colours = []string{"31", "32", "33", "34", "35", "36"}

// colourOf is the same for a nick each time.
func colourOf(nick string) string {
	h := fnv.New32a()
	h.Write([]byte(nick))
	return colours[h.Sum32()%uint32(len(colours))]
}

func (p plain) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// isTerminal tells whether w shows colours, and its user wants them.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
