package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/load"
	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

// sample is two targets in a fanout, a flood and two points of the curve.
func sample() *Comparison {
	fanout, flood, slow, fast := scenario.Default("fanout"), scenario.Default("flood"), scenario.Rates()[0], scenario.Rates()[1]
	c := New([]target.Spec{{Name: "ours", About: "this <server>"}, {Name: "theirs"}},
		[]scenario.Scenario{fanout, flood, slow, fast}, 3, []string{"nchan was left out: install it"})
	for round := 1; round <= 3; round++ {
		for j := range 2 {
			r := scenario.Result{Scenario: fanout, Measured: j == 0 || round > 1, Deliveries: 100}
			r.CPU = time.Duration(100*round*(j+1)) * 10 * time.Microsecond
			r.Warnings = []string{"the machine was full: of 2 cores"}
			c.Add(0, j, r)
			r = scenario.Result{Scenario: flood, Outcome: load.Outcome{Got: 60, Lost: 40 * j}}
			for i := range 100 {
				r.Latency.Add(time.Duration(i) * time.Millisecond)
			}
			c.Add(1, j, r)
		}
	}
	c.Add(2, 0, scenario.Result{Scenario: slow})
	c.Add(3, 0, scenario.Result{Scenario: fast, Outcome: load.Outcome{Lost: 5}})
	return c
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	sample().WriteMarkdown(&b)
	lines := strings.Split(b.String(), "\n")
	require.Contains(t, lines, "| scenario | | ours | theirs |")
	require.Contains(t, lines, "| fanout, 1,000 polls | CPU a delivery | 20 µs (10–30) | 50 µs (40–60), 2.50× |", "a round without CPU is no zero")
	require.Contains(t, lines, "|  | lost | 0 | 40 % |")
	require.Contains(t, lines, "| lost at a rate, without a cursor where there is such a poll | 10 messages/s | 0 | – |")
	require.Contains(t, lines, "- Note: nchan was left out: install it.")
	require.Contains(t, b.String(), "the machine was full: of 2 cores (and 2 times more).")
}

func TestPageNeedsNothingElse(t *testing.T) {
	var b strings.Builder
	require.NoError(t, sample().WriteHTML(&b))
	page := b.String()
	require.Contains(t, page, "CPU for a delivered message")
	require.Contains(t, page, "Latency: flood, 100 polls")
	require.Contains(t, page, "Messages lost over the rate")
	require.Contains(t, page, "this &lt;server&gt;")
	for _, foreign := range []string{"<script", "src=", "@import", "url(", "<link", "NaN", "Inf", "ZgotmplZ"} {
		require.NotContains(t, page, foreign)
	}
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "tags are balanced")
	}
}

func TestAnEmptyComparisonIsWritten(t *testing.T) {
	c := New([]target.Spec{{Name: "ours"}}, []scenario.Scenario{scenario.Default("idle")}, 1, nil)
	require.NoError(t, c.WriteHTML(io.Discard))
	c.WriteMarkdown(io.Discard)
}
