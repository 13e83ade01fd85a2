package load_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/bench/load"
)

func TestSteadyIsAtEqualDistances(t *testing.T) {
	pacer := load.Steady(250)
	require.Equal(t, time.Duration(0), pacer.At(0))
	require.Equal(t, 4*time.Millisecond, pacer.At(1))
	require.Equal(t, time.Hour, pacer.At(250*3600), "and does not drift")
	require.Equal(t, 2500*time.Millisecond, load.Steady(0.4).At(1), "also below one a second")
}

// at is a pacer with given times.
type at []time.Duration

func (a at) At(message int) time.Duration { return a[message] }

func TestPaceTellsTheIntendedTimesOfWhatIsLate(t *testing.T) {
	base := time.Now().Add(-20 * time.Minute)
	start := base.Add(time.Minute) // all of it is past, so nothing waits
	var messages []int
	var intended []time.Duration
	late := load.Pace(t.Context(), at{0, time.Second, 3 * time.Second}, 3, base, start, func(m int, d time.Duration) {
		messages, intended = append(messages, m), append(intended, d)
	})
	require.Equal(t, []int{0, 1, 2}, messages)
	require.Equal(t, []time.Duration{time.Minute, 61 * time.Second, 63 * time.Second}, intended)
	require.EqualValues(t, 3, late.Count())
	require.Greater(t, late.Quantile(0), 18*time.Minute)
}

func TestPaceIsNeverEarly(t *testing.T) {
	start := time.Now()
	load.Pace(t.Context(), load.Steady(2000), 20, start, start, func(m int, intended time.Duration) {
		require.GreaterOrEqual(t, time.Since(start), intended)
	})
}

func TestPaceStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	load.Pace(ctx, load.Steady(1e6), 1000, time.Now(), time.Now(), func(m int, _ time.Duration) {
		if n++; n == 5 {
			cancel()
		}
	})
	require.Equal(t, 5, n)
}
