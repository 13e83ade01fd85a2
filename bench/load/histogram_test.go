package load_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/load"
)

func TestHistogramQuantiles(t *testing.T) {
	var h load.Histogram
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i) * time.Millisecond)
	}
	require.EqualValues(t, 1000, h.Count())
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 501, 0.9: 901, 0.99: 991, 1: 1000} {
		require.InEpsilon(t, float64(want*time.Millisecond), float64(h.Quantile(q)), 0.016, "%g", q)
	}
	require.Equal(t, time.Second, h.Max())
}

func TestHistogramIsWithinItsPrecisionEverywhere(t *testing.T) {
	for d := time.Duration(1); d < 30*time.Minute; d += d/7 + 1 {
		var h load.Histogram
		h.Add(d)
		h.Add(time.Hour)
		got := h.Quantile(0)
		require.GreaterOrEqual(t, got, d)
		require.LessOrEqual(t, float64(got-d), 0.016*float64(d)+1)
	}
}

func TestHistogramMerge(t *testing.T) {
	var a, b load.Histogram
	require.Zero(t, a.Quantile(0.5), "empty")
	a.Add(10)
	b.Add(20)
	b.Add(-5) // a clock may step
	a.Merge(&b)
	require.EqualValues(t, 3, a.Count())
	require.Equal(t, []time.Duration{0, 10, 20}, []time.Duration{a.Quantile(0), a.Quantile(0.5), a.Quantile(1)})
}
