package report

import (
	"fmt"
	"io"
	"strings"
)

// row is one line of the table: a metric of a scenario.
type row struct {
	Scenario, Metric string
	Cells            []string
}

// rows are the table.
func (c *Comparison) rows() []row {
	var all []row
	for i, s := range c.Scenarios {
		for _, m := range Metrics(s) {
			line := row{Scenario: s.Name(), Metric: m.Name}
			if s.Once {
				line.Scenario, line.Metric = "lost at a rate, without a cursor where there is such a poll", fmt.Sprintf("%g messages/s", s.Rate)
			}
			first := c.spread(i, 0, m)
			for j := range c.Targets {
				line.Cells = append(line.Cells, cell(m, c.spread(i, j, m), first, j > 0))
			}
			all = append(all, line)
		}
	}
	return all
}

// cell is the median, the spread if it shows, and the ratio to the first.
func cell(m Metric, s, first Spread, ratio bool) string {
	if s.N == 0 {
		return "–"
	}
	text := m.Format(s.Median)
	if low, high := m.Format(s.Min), m.Format(s.Max); low != high {
		if number, unit, found := strings.Cut(low, " "); found && strings.HasSuffix(high, " "+unit) {
			low = number
			high = strings.TrimSuffix(high, " "+unit)
		}
		text += fmt.Sprintf(" (%s–%s)", low, high)
	}
	if ratio && m.Ratio && first.Median > 0 && s.Median > 0 {
		text += fmt.Sprintf(", %s×", digits2(s.Median/first.Median))
	}
	return text
}

func digits2(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// WriteMarkdown writes the table and what must be known to read it.
func (c *Comparison) WriteMarkdown(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", c.conditions())
	fmt.Fprint(w, "| scenario | |")
	for _, t := range c.Targets {
		fmt.Fprintf(w, " %s |", t.Name)
	}
	fmt.Fprintf(w, "\n|---|---|%s\n", strings.Repeat("---|", len(c.Targets)))
	before := ""
	for _, r := range c.rows() {
		name := r.Scenario
		if name == before {
			name = ""
		}
		before = r.Scenario
		fmt.Fprintf(w, "| %s | %s | %s |\n", name, r.Metric, strings.Join(r.Cells, " | "))
	}
	fmt.Fprintln(w)
	for _, t := range c.Targets {
		if t.About != "" {
			fmt.Fprintf(w, "- **%s**: %s.\n", t.Name, t.About)
		}
	}
	for _, text := range append(c.notes, c.warnings()...) {
		fmt.Fprintf(w, "- Note: %s.\n", strings.TrimRight(text, "."))
	}
}
