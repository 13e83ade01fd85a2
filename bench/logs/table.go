package logs

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Table is what was measured: numbers by what they are of, and by the log.
type Table struct {
	rows    []string
	columns []string
	numbers map[[2]string][]float64
}

func (t *Table) add(row, column string, number float64) {
	if t.numbers == nil {
		t.numbers = make(map[[2]string][]float64)
	}
	if !slices.Contains(t.rows, row) {
		t.rows = append(t.rows, row)
	}
	if !slices.Contains(t.columns, column) {
		t.columns = append(t.columns, column)
	}
	at := [2]string{row, column}
	t.numbers[at] = append(t.numbers[at], number)
}

// WriteMarkdown writes medians, with the least and the most in brackets.
func (t *Table) WriteMarkdown(w io.Writer) {
	fmt.Fprintf(w, "| | %s |\n|---%s|\n", strings.Join(t.columns, " | "), strings.Repeat("|---", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(w, "| %s ", row)
		for _, column := range t.columns {
			fmt.Fprintf(w, "| %s ", cell(t.numbers[[2]string{row, column}]))
		}
		fmt.Fprintln(w, "|")
	}
}

func cell(numbers []float64) string {
	if len(numbers) == 0 {
		return ""
	}
	numbers = slices.Sorted(slices.Values(numbers))
	return fmt.Sprintf("%.3g (%.3g–%.3g)", numbers[len(numbers)/2], numbers[0], numbers[len(numbers)-1])
}
