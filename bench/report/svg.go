package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Sizes of all charts, in units of the drawing.
const (
	chartWidth = 720
	nameWidth  = 110 // for the targets' names beside bars
	textWidth  = 150 // for the values after bars
	barHeight  = 20
)

// bar is one line of a bar chart.
type bar struct {
	Color int // of the target
	Name  string
	Spread
	Text string
}

// group is some bars under a title.
type group struct {
	Title string
	Bars  []bar
}

// barChart draws bars from zero, each with a thin line from the least to the
// most of the rounds. Each group has its own scale.
func barChart(groups []group) template.HTML {
	var svg strings.Builder
	y := 0
	for _, g := range groups {
		most := math.SmallestNonzeroFloat64
		for _, b := range g.Bars {
			most = max(most, b.Max)
		}
		width := func(v float64) float64 {
			return max(v, 0) / most * (chartWidth - nameWidth - textWidth)
		}
		y += 26
		fmt.Fprintf(&svg, `<text class="group" x="0" y="%d">%s</text>`, y-8, html.EscapeString(g.Title))
		for _, b := range g.Bars {
			middle := float64(y) + barHeight/2
			fmt.Fprintf(&svg, `<text class="name" x="%d" y="%.0f">%s</text>`, nameWidth-8, middle+4, html.EscapeString(b.Name))
			fmt.Fprintf(&svg, `<rect class="f%d" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`,
				b.Color, nameWidth, y+3, max(width(b.Median), 1), barHeight-6)
			if b.Max > b.Min {
				fmt.Fprintf(&svg, `<path class="spread" d="M%.1f %.1fH%.1f"/>`, nameWidth+width(b.Min), middle, nameWidth+width(b.Max))
			}
			fmt.Fprintf(&svg, `<text class="value" x="%.1f" y="%.0f">%s</text>`, nameWidth+width(b.Max)+8, middle+4, html.EscapeString(b.Text))
			y += barHeight
		}
		y += 10
	}
	return wrap(y, svg.String())
}

// series is one line of a line chart; its points have places from 0 to 1.
type series struct {
	Color  int
	Name   string
	Points []point
}

type point struct {
	X, Y float64
	Text string // shown when pointed at; "" for none, and no dot
}

// axis is where the labels of an axis stand, from 0 to 1.
type axis struct {
	Title string
	Ticks []tick
}

type tick struct {
	At   float64
	Text string
}

// lineChart draws lines over a grid. Y grows upwards.
func lineChart(x, y axis, lines []series) template.HTML {
	const left, top, right, bottom, height = 64, 12, 16, 46, 300
	atX := func(v float64) float64 { return left + v*(chartWidth-left-right) }
	atY := func(v float64) float64 { return top + (1-v)*(height-top-bottom) }
	var svg strings.Builder
	for _, t := range y.Ticks {
		fmt.Fprintf(&svg, `<path class="grid" d="M%d %.1fH%d"/><text class="tick right" x="%d" y="%.1f">%s</text>`,
			left, atY(t.At), chartWidth-right, left-8, atY(t.At)+4, html.EscapeString(t.Text))
	}
	for _, t := range x.Ticks {
		fmt.Fprintf(&svg, `<path class="grid" d="M%.1f %dV%d"/><text class="tick middle" x="%.1f" y="%d">%s</text>`,
			atX(t.At), top, height-bottom, atX(t.At), height-bottom+18, html.EscapeString(t.Text))
	}
	fmt.Fprintf(&svg, `<text class="tick middle" x="%d" y="%d">%s</text>`, (left+chartWidth-right)/2, height-8, html.EscapeString(x.Title))
	for i := len(lines) - 1; i >= 0; i-- { // the first target above the others
		l := lines[i]
		var path, dots strings.Builder
		for j, p := range l.Points {
			move := "L"
			if j == 0 {
				move = "M"
			}
			fmt.Fprintf(&path, "%s%.1f %.1f", move, atX(p.X), atY(p.Y))
			if p.Text != "" {
				fmt.Fprintf(&dots, `<circle class="f%d" cx="%.1f" cy="%.1f" r="4"><title>%s: %s</title></circle>`,
					l.Color, atX(p.X), atY(p.Y), html.EscapeString(l.Name), html.EscapeString(p.Text))
			}
		}
		fmt.Fprintf(&svg, `<path class="line s%d" d="%s"/>%s`, l.Color, path.String(), dots.String())
	}
	return wrap(height, svg.String())
}

func wrap(height int, inner string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img">%s</svg>`, chartWidth, height, inner))
}

// logAt is the place of v on a scale of powers from least to most.
func logAt(v, least, most float64) float64 {
	v = min(max(v, least), most)
	return math.Log(v/least) / math.Log(most/least)
}
