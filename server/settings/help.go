package settings

import (
	"fmt"
	"io"
	"strings"
)

// WriteHelp writes the text of -help.
func WriteHelp(w io.Writer) {
	fmt.Fprint(w, `pubsub is a chat and publish/subscribe server over HTTP long polling.

Usage: pubsub [word] [flags]

`)
	for _, word := range Words {
		fmt.Fprintf(w, "  %-8s %s\n", word.Name, word.Summary)
	}
	fmt.Fprint(w, `
Each flag is also an environment variable: -poll-timeout is PUBSUB_POLL_TIMEOUT.
The flag wins. A limit of 0 is no limit.

`)
	defaults := Default()
	for _, s := range defaults.table() {
		usage := s.usage + "."
		if value := s.value.get(); value != "" {
			usage += " Default " + value + "."
		}
		fmt.Fprintf(w, "  -%s\n        %s\n", s.name, wrap(usage))
	}
	fmt.Fprint(w, "  -version\n        Print the version and exit.\n")
}

// wrap makes a sentence of a usage, and wraps it for a terminal.
func wrap(usage string) string {
	var b strings.Builder
	width := 0
	for word := range strings.FieldsSeq(upperFirst(usage)) {
		if width > 0 && width+len(word) > 62 {
			b.WriteString("\n        ")
			width = 0
		} else if width > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
		width += len(word) + 1
	}
	return b.String()
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
