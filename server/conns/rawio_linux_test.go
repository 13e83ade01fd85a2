package conns

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBurstsAreLongWithoutAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b burst
		b.isLong() // the clock of a bubble is not that of start
		for range 3 {
			calls := 0
			for time.Sleep(pause + 1); !b.isLong(); calls++ {
				time.Sleep(pause)
			}
			require.EqualValues(t, longBurst/pause+1, calls)
			require.True(t, b.isLong(), "it goes on")
		}
	})
}
