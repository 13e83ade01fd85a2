package report

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

// Comparison is what all targets did.
type Comparison struct {
	Targets   []target.Spec
	Scenarios []scenario.Scenario
	Rounds    int
	Began     time.Time
	Took      time.Duration

	results map[place][]scenario.Result
	notes   []string
}

// place is a scenario's and a target's index.
type place struct{ scenario, target int }

// New returns a comparison without results.
func New(targets []target.Spec, scenarios []scenario.Scenario, rounds int, notes []string) *Comparison {
	return &Comparison{Targets: targets, Scenarios: scenarios, Rounds: rounds, Began: time.Now(),
		results: map[place][]scenario.Result{}, notes: slices.Clone(notes)}
}

// Add records the result of a target's run.
func (c *Comparison) Add(scenario, target int, r scenario.Result) {
	at := place{scenario, target}
	c.results[at] = append(c.results[at], r)
}

// Note records what a reader must know besides; the same is told once.
func (c *Comparison) Note(text string) {
	if !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

// spread is a metric of a target over the rounds.
func (c *Comparison) spread(scenario, target int, m Metric) Spread {
	var values []float64
	for _, r := range c.results[place{scenario, target}] {
		if r.Measured || !m.CPU {
			values = append(values, m.Of(r))
		}
	}
	return Summarize(values)
}

// warnings are what went wrong, each target's and scenario's kind once.
func (c *Comparison) warnings() []string {
	counts, first := map[string]int{}, map[string]string{}
	for i, s := range c.Scenarios {
		for j, t := range c.Targets {
			for _, r := range c.results[place{i, j}] {
				for _, w := range r.Warnings {
					kind, _, _ := strings.Cut(w, ":")
					key := fmt.Sprintf("%02d %02d %s", i, j, kind)
					if counts[key]++; counts[key] == 1 {
						first[key] = fmt.Sprintf("%s, %s: %s", t.Name, s.Name(), w)
					}
				}
			}
		}
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(first)) {
		text := first[key]
		if n := counts[key]; n > 1 {
			text += fmt.Sprintf(" (and %d times more)", n-1)
		}
		all = append(all, text)
	}
	return all
}

// machine says where this ran.
func machine() string {
	model := "unknown processor"
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	kernel := ""
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
		kernel = ", Linux " + release
	}
	return fmt.Sprintf("%s, %d cores%s, %s", model, runtime.NumCPU(), kernel, runtime.Version())
}

// conditions say how this was measured.
func (c *Comparison) conditions() string {
	return fmt.Sprintf("%s. %s. Over loopback, the generator on the same machine. Rounds, interleaved: %d, in %s. "+
		"A cell is the median, in brackets the least and the most, and with × the ratio to %s.",
		c.Began.Format("2 January 2006"), machine(), c.Rounds, c.Took.Round(time.Second), c.Targets[0].Name)
}
