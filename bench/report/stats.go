// Package report tells what was measured: as a Markdown table and as a page.
package report

import "slices"

// Spread is the middle of some numbers and how far they lie apart.
type Spread struct {
	Median, Min, Max float64
	N                int
}

// Summarize returns the spread of numbers; N is 0 if there are none.
func Summarize(numbers []float64) Spread {
	n := len(numbers)
	if n == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(numbers))
	return Spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1], N: n}
}
