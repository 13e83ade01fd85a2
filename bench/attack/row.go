package attack

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Row is what one attack did.
type Row struct {
	Attack, About string
	Took          time.Duration

	Before, Peak, After int64         // the server's memory in bytes
	Messages            int64         // bytes of messages that are kept in After, and were not in Before
	Median, Worst       time.Duration // of /healthz during the attack
	Beside              time.Duration // the worst of a server on the same machine that nobody attacks

	Posted, Refused     int // by the honest poster
	Lost, Doubled, Gaps int // by readers
	Failures            int // answers that readers could not go on from
	Calm, During        time.Duration
	Answers             string // to the attacker
	Broken              int64  // 5xx without a reason, to anybody
	Notes, Missed       []string
}

// heard fills in what people heard.
func (r *Row) heard(p *people) {
	r.Lost, r.Refused = p.lost(), p.refused()
	r.Posted, r.Doubled, r.Gaps, r.Failures = len(p.sent), p.doubled, p.gaps, p.failures
	r.Calm, r.During = p.latency[before].Quantile(.5), p.latency[during].Quantile(.5)
}

// ratio is how much later messages came during the attack.
func (r Row) ratio() float64 {
	if r.Calm == 0 {
		return 0
	}
	return float64(r.During) / float64(r.Calm)
}

// Marks are what a server should hold.
type Marks struct {
	Memory int           // MB at the peak
	Health time.Duration // the longest wait for /healthz
	Kept   int           // MB more than before, some time after, beside messages
	Ratio  float64       // of the chat's median latency
}

const mb = 1 << 20

// missed says which marks a row misses.
func (m Marks) missed(r Row) (all []string) {
	miss := func(missed bool, format string, args ...any) {
		if missed {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	miss(r.Peak > int64(m.Memory)*mb, "memory above %d MB", m.Memory)
	miss(r.Worst > m.Health, "/healthz slower than %s, beside it %s", m.Health, brief(r.Beside))
	miss(r.After-r.Before-r.Messages > int64(m.Kept)*mb, "more than %d MB kept beside messages", m.Kept)
	miss(r.During > 0 && r.ratio() > m.Ratio, "chat more than %g times later", m.Ratio)
	miss(r.During == 0, "nothing heard during the attack")
	miss(r.Lost > 0, "%d lost", r.Lost)
	miss(r.Doubled > 0, "%d doubled", r.Doubled)
	miss(r.Gaps > 0, "%d false gaps", r.Gaps)
	miss(r.Refused > 0, "%d honest messages refused", r.Refused)
	miss(r.Broken > 0, "%d answers of 5xx without a reason", r.Broken)
	return all
}

// columns are the table's.
var columns = []struct {
	name string
	of   func(Row) string
}{
	{"attack", func(r Row) string { return r.Attack }},
	{"memory before, peak, after", func(r Row) string {
		text := fmt.Sprintf("%d, %d, %d MB", r.Before/mb, r.Peak/mb, r.After/mb)
		if r.Messages > 0 {
			text += fmt.Sprintf(", %d of them new messages", r.Messages/mb)
		}
		return text
	}},
	{"/healthz median, worst", func(r Row) string { return brief(r.Median) + ", " + brief(r.Worst) }},
	{"worst beside it", func(r Row) string { return brief(r.Beside) }},
	{"chat posted, refused", func(r Row) string { return fmt.Sprintf("%d, %d", r.Posted, r.Refused) }},
	{"lost, doubled", func(r Row) string { return fmt.Sprintf("%d, %d", r.Lost, r.Doubled) }},
	{"chat median before, during", func(r Row) string {
		return fmt.Sprintf("%s, %s (×%.1f)", brief(r.Calm), brief(r.During), r.ratio())
	}},
	{"answers", func(r Row) string { return r.Answers }},
	{"marks missed", func(r Row) string { return strings.Join(r.Missed, "; ") }},
	{"seen besides", func(r Row) string { return strings.Join(r.notes(), "; ") }},
}

func (r Row) notes() []string {
	all := r.Notes
	if r.Failures > 0 {
		all = append(all[:len(all):len(all)], fmt.Sprintf("honest readers had %d answers of no use", r.Failures))
	}
	return all
}

func brief(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// size is so many bytes for a person.
func size(bytes float64) string {
	switch {
	case bytes >= mb:
		return fmt.Sprintf("%.1f MB", bytes/mb)
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KB", bytes/(1<<10))
	}
	return fmt.Sprintf("%.0f bytes", bytes)
}

// WriteRow tells one row in lines, for who watches.
func WriteRow(w io.Writer, r Row) {
	fmt.Fprintf(w, "%s (%s): %s\n", r.Attack, brief(r.Took), r.About)
	for _, c := range columns[1:] {
		if text := c.of(r); text != "" {
			fmt.Fprintf(w, "    %-28s %s\n", c.name, text)
		}
	}
}

// WriteMarkdown writes all rows as a table.
func WriteMarkdown(w io.Writer, rows []Row) {
	line := func(cell func(i int) string) {
		for i := range columns {
			fmt.Fprintf(w, "| %s ", strings.ReplaceAll(cell(i), "|", `\|`))
		}
		fmt.Fprintln(w, "|")
	}
	line(func(i int) string { return columns[i].name })
	line(func(int) string { return "---" })
	for _, r := range rows {
		line(func(i int) string { return columns[i].of(r) })
	}
}
