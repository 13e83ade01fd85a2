package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"pubsub/bench/scenario"
)

// Ways are the ways in which the same chat was read.
type Ways struct {
	Names  []string
	Rounds int

	results map[string][]scenario.Result
}

// NewWays returns ways without results, in the table's order.
func NewWays(names []string, rounds int) *Ways {
	return &Ways{names, rounds, map[string][]scenario.Result{}}
}

// Add records the result of a round.
func (w *Ways) Add(name string, r scenario.Result) { w.results[name] = append(w.results[name], r) }

// wayMetrics are the table's columns. What clients send and receive is counted
// over a time, so that polls which bring nothing are in it.
var wayMetrics = []Metric{
	{"requests a message", perMessage(func(r scenario.Result) int64 { return r.Traffic.Requests }), digits, false, false},
	{"bytes sent a message", perMessage(func(r scenario.Result) int64 { return r.Traffic.Sent }), count, false, false},
	{"bytes received a message", perMessage(func(r scenario.Result) int64 { return r.Traffic.Received }), count, false, false},
	{"latency, median", quantile(0.5), seconds, false, false},
	{"latency, p99", quantile(0.99), seconds, false, false},
	{"CPU a client and minute", func(r scenario.Result) float64 {
		return r.CPU.Seconds() / r.Wall.Minutes() / float64(r.Scenario.Polls)
	}, seconds, false, true},
	{"memory a client", scenario.Result.PerPoll, bytes, false, true},
	{"lost", func(r scenario.Result) float64 { return r.LostShare() }, percent, false, false},
}

// perMessage is a count for each message that a client was given.
func perMessage(of func(scenario.Result) int64) func(scenario.Result) float64 {
	return func(r scenario.Result) float64 {
		messages := r.Wall.Seconds() * r.Scenario.Rate
		return float64(of(r)) / messages / float64(r.Scenario.Polls)
	}
}

func (w *Ways) spread(name string, m Metric) Spread {
	var values []float64
	for _, r := range w.results[name] {
		if r.Measured || !m.CPU {
			values = append(values, m.Of(r))
		}
	}
	return Summarize(values)
}

// WriteMarkdown writes the table: a row for each way.
func (w *Ways) WriteMarkdown(out io.Writer) {
	fmt.Fprintf(out, "%s. Rounds, interleaved: %d; medians.\n\n| |", machine(), w.Rounds)
	for _, m := range wayMetrics {
		fmt.Fprintf(out, " %s |", m.Name)
	}
	fmt.Fprintf(out, "\n|---|%s\n", strings.Repeat("---|", len(wayMetrics)))
	for _, name := range w.Names {
		fmt.Fprintf(out, "| %s |", name)
		for _, m := range wayMetrics {
			fmt.Fprintf(out, " %s |", m.Format(w.spread(name, m).Median))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintln(out)
	for _, name := range w.Names {
		for _, r := range w.results[name] {
			for _, warning := range r.Warnings {
				fmt.Fprintf(out, "- Note: %s: %s.\n", name, strings.TrimRight(warning, "."))
			}
		}
	}
}

// WriteSVG writes a drawing that needs nothing else.
func (w *Ways) WriteSVG(out io.Writer) error {
	var groups []group
	add := func(title string, metrics ...int) {
		for _, i := range metrics {
			m := wayMetrics[i]
			g := group{Title: title}
			for color, name := range w.Names {
				if s := w.spread(name, m); s.N > 0 {
					g.Bars = append(g.Bars, bar{color, name, s, m.Format(s.Median)})
				}
			}
			if len(g.Bars) > 0 {
				groups = append(groups, g)
			}
		}
	}
	add("Latency, half of the messages", 3)
	add("Bytes that a client receives for a message", 2)
	add("CPU of the server for a client and a minute", 5)
	add("Memory of the server for a client", 6)
	_, drawing, _ := strings.Cut(string(barChart(groups)), "<svg ")
	head, inner, _ := strings.Cut(drawing, ">")
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" %s>%s<rect class="ground" width="100%%" height="100%%"/>%s`+"\n",
		chartWidth, head, alone(len(w.Names)), inner)
	return err
}

// alone is the style of a drawing outside of the page.
func alone(colors int) string {
	all := []string{"#8a909a", "#cf7a1c", "#1f6fd6", "#2a9160", "#7d55c7", "#c43d5a"}
	var b strings.Builder
	b.WriteString(`<style>text{font:12px system-ui,sans-serif;fill:#1d2129}.ground{fill:#fff}.group{font-weight:600;font-size:13px}` +
		`.name{text-anchor:end;fill:#646b76}.spread{stroke:#1d2129;stroke-width:1.5;opacity:.55}`)
	for i := range colors {
		fmt.Fprintf(&b, ".f%d{fill:%s}", i, all[i%len(all)])
	}
	return b.String() + "</style>"
}

// Describe says what was done, for people.
func Describe(clients int, perMinute float64, duration time.Duration) string {
	return fmt.Sprintf("%d clients read one channel, %g messages a minute, for %s.", clients, perMinute, duration)
}
