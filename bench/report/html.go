package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"pubsub/bench/target"
)

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New("page").Parse(page))

// WriteHTML writes one page that needs nothing else: the charts, the table and
// what must be known to read them.
func (c *Comparison) WriteHTML(w io.Writer) error {
	rows := c.rows()
	for i := len(rows) - 1; i > 0; i-- {
		if rows[i].Scenario == rows[i-1].Scenario {
			rows[i].Scenario = "" // told once
		}
	}
	var notes []string
	for _, text := range append(c.notes, c.warnings()...) {
		notes = append(notes, strings.TrimRight(text, ".")+".")
	}
	return pageTemplate.Execute(w, struct {
		Conditions string
		Targets    []target.Spec
		Charts     []Chart
		Rows       []row
		Notes      []string
	}{c.conditions(), c.Targets, c.charts(), rows, notes})
}
