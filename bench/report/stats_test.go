package report

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummarize(t *testing.T) {
	require.Equal(t, Spread{}, Summarize(nil))
	require.Equal(t, Spread{5, 5, 5, 1}, Summarize([]float64{5}))
	require.Equal(t, Spread{2, 1, 9, 3}, Summarize([]float64{9, 1, 2}))
	require.Equal(t, Spread{2.5, 1, 9, 4}, Summarize([]float64{9, 1, 3, 2}))
}

func TestNumbersForPeople(t *testing.T) {
	for want, got := range map[string]string{
		"–":        seconds(0),
		"9.5 µs":   seconds(9.54e-6),
		"532 µs":   seconds(532.4e-6),
		"1.2 ms":   seconds(1.24e-3),
		"2.5 s":    seconds(2.5),
		"17 KB":    bytes(17.3 * 1024),
		"-12 MB":   bytes(-12 << 20),
		"0":        percent(0),
		"< 0.01 %": percent(1e-6),
		"3.6 %":    percent(0.036),
		"100 %":    percent(1),
		"1":        digits(1),
	} {
		require.Equal(t, want, got)
	}
}
