package fairshare_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"pubsub/server/fairshare"
)

// Shares are held against a plain map.
func TestShares(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var s fairshare.Shares[string]
		model := map[string]int{}
		r.Repeat(map[string]func(*rapid.T){
			"add": func(r *rapid.T) {
				who := rapid.SampledFrom([]string{"ann", "bob", "cid", "dan", "eve"}).Draw(r, "who")
				n := rapid.IntRange(-model[who], 9).Draw(r, "n")
				if model[who] += n; model[who] == 0 {
					delete(model, who)
				}
				require.Equal(r, model[who], s.Add(who, n))
			},
			"": func(r *rapid.T) {
				total, most := 0, 0
				for who, n := range model {
					require.Equal(r, n, s.Of(who))
					total, most = total+n, max(most, n)
				}
				holder, weight := s.Largest()
				require.Equal(r, most, weight)
				require.Equal(r, model[holder], weight)
				require.Equal(r, total, s.Total())
			},
		})
	})
}

func TestHoldings(t *testing.T) {
	var h fairshare.Holdings[string, string]
	things := func(holder string) (all string) {
		for held := range h.Of(holder) {
			all += held.Value
		}
		return all
	}
	a, b := h.Add("ann", "a", 2), h.Add("ann", "b", 3)
	h.Add("bob", "c", 4)
	require.Equal(t, "ab", things("ann"), "in the order of coming")
	require.Equal(t, 9, h.Weights.Total())
	require.True(t, h.Remove(a))
	require.False(t, h.Remove(a), "once")
	require.False(t, h.Remove(nil))
	require.Equal(t, "b", things("ann"))
	largest, weight := h.Weights.Largest()
	require.Equal(t, "bob", largest)
	require.Equal(t, 4, weight)
	require.True(t, h.Remove(b))
	require.Empty(t, things("ann"))
	require.Equal(t, 4, h.Weights.Total())
	d := h.Add("ann", "d", 5)
	require.Equal(t, "d", things("ann"), "who had nothing left begins anew")
	require.Equal(t, 5, h.Weights.Of("ann"))
	largest, _ = h.Weights.Largest()
	require.Equal(t, "ann", largest)
	require.True(t, h.Remove(d))
	require.Zero(t, h.Weights.Of("ann"))
}

// Who keeps a thing that was removed keeps none of those removed after it.
func TestHoldingsLetGo(t *testing.T) {
	var h fairshare.Holdings[string, *[1 << 20]byte]
	first := h.Add("ann", nil, 1)
	gone := make(chan struct{})
	second := h.Add("ann", new([1 << 20]byte), 1)
	runtime.AddCleanup(second.Value, func(struct{}) { close(gone) }, struct{}{})
	h.Remove(first)
	h.Remove(second)
	second = nil
	require.Eventually(t, func() bool {
		runtime.GC()
		select {
		case <-gone:
			return true
		default:
			return false
		}
	}, 10*time.Second, time.Millisecond)
	runtime.KeepAlive(first)
}
