package machine_test

import (
	"bytes"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/machine"
)

// limit is the limit of the runtime.
func limit() int64 { return debug.SetMemoryLimit(-1) }

// The heap may grow with the polls, but not over what the process may take.
func TestHeapGrowsWithThePolls(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	const calm, poll = 160 << 20, 30 << 10
	h := machine.NewHeap(1 << 30)
	for _, c := range []struct{ polls, limit int64 }{
		{0, calm}, {1000, calm}, {5000, calm + 4*poll*4000}, {1_000_000, 1 << 30}, {0, calm},
	} {
		h.Limit(c.polls)
		require.EqualValues(t, c.limit, limit(), "%d polls", c.polls)
	}
	h.Leave()
	require.EqualValues(t, int64(math.MaxInt64), limit())

	h = machine.NewHeap(0)
	h.Limit(1_000_000)
	require.EqualValues(t, int64(calm+4*poll*999_000), limit(), "0 is no limit")
	h.Leave()
}

// What was set by GOMEMLIMIT stays.
func TestLimitOfTheEnvironmentStays(t *testing.T) {
	before := debug.SetMemoryLimit(2 << 30)
	defer debug.SetMemoryLimit(before)
	h := machine.NewHeap(1 << 30)
	h.Limit(1_000_000)
	require.EqualValues(t, int64(2<<30), limit())
	h.Leave()
	require.EqualValues(t, int64(2<<30), limit())
}

// taken is what the process has of the system, without what it has given back.
func taken() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// What was in use when memory was given back is given back later, though nothing is allocated
// any more, so that nothing is collected.
func TestMemoryIsGivenBackLater(t *testing.T) {
	const size = 64 << 20
	for _, while := range []int{1, 5, 20} { // for so many calls it is in use
		h := machine.NewHeap(0)
		before := taken()
		use, garbage := bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, size)
		require.Len(t, garbage, size)
		garbage = nil
		for range while {
			h.GiveBack()
		}
		require.Greater(t, taken(), before+size*3/4, "in use")
		require.Len(t, use, size)
		use = nil
		for range 20 {
			h.GiveBack()
		}
		require.Less(t, taken(), before+size/4)
		h.Leave()
	}
}
