package machine

import (
	"math"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// Heap keeps what the process takes near what it needs. GOGC lets the garbage be
// four times what is in use, which is good for the many small things of polls and
// needs few collections, but not for large ones: what one stranger can make the
// server hold would count five times.
type Heap struct {
	most   int64 // bytes that the process may take, as it was set
	tuned  bool  // GOMEMLIMIT has no say
	before int64 // the runtime's own limit
	set    int64 // ours
	kept   int64 // from the system, when memory was given back last
	cycles uint64
}

const (
	calmHeap   = 160 << 20 // bytes up to which GOGC alone has the say
	calmPolls  = 1000      // so many polls fit into that
	pollBytes  = 30 << 10  // of one that waits
	worthwhile = 16 << 20  // bytes to win; for less a collection costs too much
)

// NewHeap takes how many bytes the process may take, 0 for no bound.
func NewHeap(most int64) *Heap {
	if most == 0 {
		most = math.MaxInt64
	}
	h := &Heap{most: most, before: debug.SetMemoryLimit(-1)}
	h.tuned = h.before == math.MaxInt64
	h.kept, h.cycles = read().system, read().cycles
	return h
}

// Leave gives the runtime its own limit back.
func (h *Heap) Leave() { debug.SetMemoryLimit(h.before) }

// Limit sets how far the garbage may grow: to half of what is in use, and for polls
// as GOGC says. The runtime keeps to it from then on, by itself.
func (h *Heap) Limit(polls int64) {
	if !h.tuned {
		return
	}
	limit := min(max(calmHeap, read().live*3/2)+4*pollBytes*max(0, polls-calmPolls), h.most)
	if limit > h.set || limit < h.set/8*7 { // each change stops the world for a moment
		h.set = limit
		debug.SetMemoryLimit(limit)
	}
}

// GiveBack returns memory to the system that was needed for a while. The runtime
// alone would keep it until the next collection, which is minutes away where few
// allocate, and then what is below its limit.
func (h *Heap) GiveBack() {
	now := read()
	idle := now.cycles == h.cycles
	h.cycles = now.cycles
	if !(idle && now.system > h.kept+worthwhile) && now.system < now.goal+2*worthwhile {
		return
	}
	runtime.GC() // what lies in a sync.Pool outlives one collection
	debug.FreeOSMemory()
	h.kept = read().system
}

// usage is what the runtime knows of its memory, in bytes.
type usage struct {
	system int64  // taken and not given back
	live   int64  // in use at the last collection, stacks among it
	goal   int64  // may be taken until the next one, stacks among it
	cycles uint64 // collections that nobody asked for
}

func read() usage {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/gc/heap/goal:bytes"},
		{Name: "/gc/cycles/automatic:gc-cycles"},
	}
	runtimemetrics.Read(samples)
	n := func(i int) int64 { return int64(samples[i].Value.Uint64()) }
	return usage{system: n(0) - n(1), live: n(2) + n(3), goal: n(4) + n(3), cycles: uint64(n(5))}
}
