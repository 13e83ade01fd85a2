package report

import (
	"fmt"
	"html/template"
	"math"

	"pubsub/bench/load"
	"pubsub/bench/scenario"
)

// Chart is a drawing and what it says.
type Chart struct {
	Title, Text string
	Drawing     template.HTML
	Legend      bool
}

// charts are all drawings for which there are results.
func (c *Comparison) charts() []Chart {
	var all []Chart
	add := func(title, text string, legend bool, drawing template.HTML, any bool) {
		if any {
			all = append(all, Chart{title, text, drawing, legend})
		}
	}
	cpu := c.groups(func(m Metric) bool { return m.Name == "CPU a delivery" })
	add("CPU for a delivered message", "The server's processor time for one message given to one client, with the client's next poll. Less is better.",
		false, barChart(cpu), len(cpu) > 0)
	memory := c.groups(func(m Metric) bool { return m.Name == "memory a poll" })
	add("Memory for a pending poll", "What the server's processes hold more with all polls waiting, for each of them. The kernel's socket buffers are not in it. Less is better.",
		false, barChart(memory), len(memory) > 0)
	hangups := c.groups(func(m Metric) bool { return m.Name == "CPU a hang-up" })
	add("CPU for a hang-up", "The server's processor time for a connection that polls and leaves. Less is better.",
		false, barChart(hangups), len(hangups) > 0)
	for i, s := range c.Scenarios {
		if s.Kind != "flood" || s.Once {
			continue
		}
		drawing, any := c.latency(i)
		add("Latency: "+s.Name(), "From the moment a message was meant to be published to its arrival: so many of 100 messages came within this time. Lower is better; further right are the rare, slow ones.",
			true, drawing, any)
	}
	drawing, any := c.losses()
	add("Messages lost over the rate", "50 polls, two seconds each rate, one run; without a cursor where a server has such polls. What was refused or never answered counts as lost.",
		true, drawing, any)
	return all
}

// groups are the bars of a metric for every scenario that has it.
func (c *Comparison) groups(wanted func(Metric) bool) []group {
	var all []group
	for i, s := range c.Scenarios {
		if s.Once {
			continue
		}
		for _, m := range Metrics(s) {
			g := group{Title: s.Name()}
			for j, t := range c.Targets {
				if spread := c.spread(i, j, m); wanted(m) && spread.N > 0 {
					g.Bars = append(g.Bars, bar{j, t.Name, spread, m.Format(spread.Median)})
				}
			}
			if len(g.Bars) > 0 {
				all = append(all, g)
			}
		}
	}
	return all
}

// latency draws all rounds of a scenario together, over the nines.
func (c *Comparison) latency(i int) (template.HTML, bool) {
	const nines, least, most = 4, 100e-6, 10.0
	var lines []series
	for j, t := range c.Targets {
		var h load.Histogram
		for _, r := range c.results[place{i, j}] {
			h.Merge(&r.Latency)
		}
		if h.Count() == 0 {
			continue
		}
		line := series{Color: j, Name: t.Name}
		for step := range 20*nines + 1 {
			x := float64(step) / (20 * nines)
			q := 1 - math.Pow(10, -x*nines)
			v := h.Quantile(q).Seconds()
			p := point{X: x, Y: logAt(v, least, most)}
			if step%20 == 0 && step > 0 {
				p.Text = fmt.Sprintf("%g %% within %s", q*100, seconds(v))
			}
			line.Points = append(line.Points, p)
		}
		lines = append(lines, line)
	}
	x := axis{Title: "of 100 messages", Ticks: []tick{{0, "0"}, {.25, "90"}, {.5, "99"}, {.75, "99.9"}, {1, "99.99"}}}
	x.Ticks = append(x.Ticks, tick{math.Log10(2) / nines, "50"})
	y := axis{}
	for _, v := range []float64{100e-6, 1e-3, 10e-3, 100e-3, 1, 10} {
		y.Ticks = append(y.Ticks, tick{logAt(v, least, most), seconds(v)})
	}
	return lineChart(x, y, lines), len(lines) > 0
}

// losses draws the share lost at each rate.
func (c *Comparison) losses() (template.HTML, bool) {
	var rates []int // indices of scenarios
	for i, s := range c.Scenarios {
		if s.Once {
			rates = append(rates, i)
		}
	}
	if len(rates) < 2 {
		return "", false
	}
	least, most := c.Scenarios[rates[0]].Rate, c.Scenarios[rates[len(rates)-1]].Rate
	x := axis{Title: "messages a second"}
	for _, i := range rates {
		rate := c.Scenarios[i].Rate
		x.Ticks = append(x.Ticks, tick{logAt(rate, least, most), fmt.Sprintf("%g", rate)})
	}
	y := axis{Ticks: []tick{{0, "0"}, {.25, "25 %"}, {.5, "50 %"}, {.75, "75 %"}, {1, "100 %"}}}
	lost := Metric{Of: scenario.Result.LostShare}
	var lines []series
	for j, t := range c.Targets {
		line := series{Color: j, Name: t.Name}
		for _, i := range rates {
			if s := c.spread(i, j, lost); s.N > 0 {
				line.Points = append(line.Points, point{logAt(c.Scenarios[i].Rate, least, most), s.Median,
					fmt.Sprintf("%s at %g/s", percent(s.Median), c.Scenarios[i].Rate)})
			}
		}
		if len(line.Points) > 0 {
			lines = append(lines, line)
		}
	}
	return lineChart(x, y, lines), len(lines) > 0
}
