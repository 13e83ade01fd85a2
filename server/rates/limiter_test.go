package rates_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/rates"
)

// Who waits has promised tokens, and nobody has to wait for those that were given back.
func TestPromises(t *testing.T) {
	ann, bob := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	synctest.Test(t, func(t *testing.T) {
		l := rates.New(rates.Rate{PerSecond: 10, Burst: 2})
		promise := func(tokens float64, want time.Duration, ok bool) {
			wait, taken := l.Promise(ann, tokens, time.Second)
			require.Equal(t, ok, taken)
			require.InDelta(t, want.Seconds(), wait.Seconds(), 1e-6)
		}
		promise(1, 0, true)
		promise(11, 0, true)
		promise(1, 1100*time.Millisecond, false)
		l.GiveBack(ann, 10)
		promise(1, 100*time.Millisecond, true)
		_, ok := l.Take(ann)
		require.False(t, ok)
		seconds, ok := l.Take(bob)
		require.True(t, ok)
		require.Contains(t, []int{1, 2}, seconds)
		time.Sleep(time.Second)
		promise(1, 0, true)
		l.GiveBack(ann, 100) // no more than there are
		promise(3, 0, true)
		promise(1, 200*time.Millisecond, true)
	})
}
