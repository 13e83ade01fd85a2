package report

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"pubsub/bench/scenario"
)

// Metric is one number of a result.
type Metric struct {
	Name   string
	Of     func(scenario.Result) float64
	Format func(float64) string
	Ratio  bool // worth a ratio to the first target
	CPU    bool // known only if the target's process is
}

// Metrics are what a scenario tells.
func Metrics(s scenario.Scenario) []Metric {
	perDelivery := Metric{"CPU a delivery", func(r scenario.Result) float64 { return r.PerDelivery().Seconds() }, seconds, true, true}
	lost := Metric{"lost", func(r scenario.Result) float64 { return r.LostShare() }, percent, false, false}
	wrong := Metric{"doubled or out of order", func(r scenario.Result) float64 { return float64(r.Doubled + r.Disordered) }, count, false, false}
	memoryKept := Metric{"memory kept after", func(r scenario.Result) float64 { return float64(r.Memory2 - r.Memory0) }, bytes, false, true}
	filesKept := Metric{"connections kept after", func(r scenario.Result) float64 { return float64(r.Files2 - r.Files0) }, count, false, true}
	switch s.Kind {
	case "fanout":
		return []Metric{perDelivery,
			{"all have it after", func(r scenario.Result) float64 { return r.AllHave.Quantile(0.5).Seconds() }, seconds, true, false},
			lost}
	case "stream":
		return []Metric{perDelivery,
			{"memory a stream", scenario.Result.PerPoll, bytes, true, true},
			lost, wrong,
			{"latency, median", quantile(0.5), seconds, true, false},
			{"latency, p99", quantile(0.99), seconds, true, false}}
	case "flood":
		if s.Once {
			return []Metric{lost}
		}
		return []Metric{perDelivery, lost, wrong,
			{"messages an answer", func(r scenario.Result) float64 { return float64(r.Fresh) / float64(max(r.Answers, 1)) }, digits, false, false},
			{"latency, median", quantile(0.5), seconds, true, false},
			{"latency, p99", quantile(0.99), seconds, true, false}}
	case "churn":
		return []Metric{
			{"CPU a hang-up", func(r scenario.Result) float64 { return r.PerHangup().Seconds() }, seconds, true, true},
			memoryKept, filesKept}
	case "idle":
		return []Metric{
			{"memory a poll", scenario.Result.PerPoll, bytes, true, true},
			filesKept}
	}
	return nil
}

func quantile(q float64) func(scenario.Result) float64 {
	return func(r scenario.Result) float64 { return r.Latency.Quantile(q).Seconds() }
}

// seconds formats a duration with two or three digits.
func seconds(v float64) string {
	switch d := time.Duration(v * float64(time.Second)); {
	case d == 0:
		return "–"
	case d < time.Millisecond:
		return digits(v*1e6) + " µs"
	case d < time.Second:
		return digits(v*1e3) + " ms"
	}
	return digits(v) + " s"
}

func bytes(v float64) string {
	if math.Abs(v) < 1<<20 {
		return digits(v/(1<<10)) + " KB"
	}
	return digits(v/(1<<20)) + " MB"
}

func percent(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.0001:
		return "< 0.01 %"
	}
	return digits(v*100) + " %"
}

func count(v float64) string { return fmt.Sprintf("%.0f", v) }

// digits keeps two digits, and all before the point.
func digits(v float64) string {
	if math.Abs(v) >= 10 || v == 0 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}
