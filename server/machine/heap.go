package machine

import (
	"math"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// Heap keeps the memory of the process near what it needs. GOGC lets garbage grow to four
// times what is in use, as main sets it. That suits polls: they are many and small, and
// few collections are needed. It does not suit messages: what a client can make the
// server keep would take five times as much. So Heap sets the memory limit of the Go
// runtime.
//
// One goroutine at a time may use it, and a process needs only one. Make it with
// [NewHeap].
type Heap struct {
	most   int64  // bytes that the process may take
	tuned  bool   // Heap sets the limit; false if GOMEMLIMIT does
	before int64  // the runtime's limit before NewHeap
	set    int64  // the limit that Heap has set
	kept   int64  // bytes taken from the system when memory was last given back
	cycles uint64 // collections until the last GiveBack
	due    int    // idle calls of GiveBack until memory is given back again; 0 is never
	pause  int    // what due was last
}

const (
	calmHeap   = 160 << 20 // bytes up to which only GOGC decides
	calmPolls  = 1000      // polls for which calmHeap is enough
	pollBytes  = 30 << 10  // of a poll that waits
	worthwhile = 8 << 20   // bytes to free; for fewer a collection costs too much
)

// NewHeap returns a Heap for a process that may take so many bytes; 0 is no limit. If
// GOMEMLIMIT is set, the runtime's limit stays as it is.
func NewHeap(most int64) *Heap {
	if most == 0 {
		most = math.MaxInt64
	}
	h := &Heap{most: most, before: debug.SetMemoryLimit(-1)}
	h.tuned = h.before == math.MaxInt64
	h.kept, h.cycles = read().system, read().cycles
	return h
}

// Leave sets the runtime's limit back to what it was before NewHeap.
func (h *Heap) Leave() { debug.SetMemoryLimit(h.before) }

// Limit sets how far the heap may grow, given the number of polls: garbage may be half of
// what is in use, and for polls four times. The runtime keeps to that by itself; call
// Limit again as the number changes, such as every second.
func (h *Heap) Limit(polls int64) {
	if !h.tuned {
		return
	}
	limit := min(max(calmHeap, read().live*3/2)+4*pollBytes*max(0, polls-calmPolls), h.most)
	if limit > h.set || limit < h.set/8*7 { // only then, since a change stops all goroutines for a moment
		h.set = limit
		debug.SetMemoryLimit(limit)
	}
}

// GiveBack returns memory to the system that is no longer needed. Call it every few
// seconds. The runtime alone would keep it until its next collection, which may be
// minutes away when little is allocated. And even then it would keep what is below its
// limit.
//
// What is in use while memory is given back may be garbage soon, of which nothing tells. So
// it is done again after two idle calls, and if that was worth nothing after four, and so on.
func (h *Heap) GiveBack() {
	now := read()
	idle := now.cycles == h.cycles
	h.cycles = now.cycles
	if now.system < now.goal+4*worthwhile && !(idle && (now.system > h.kept+worthwhile || h.isDue())) {
		return
	}
	runtime.GC() // one of two: a sync.Pool keeps its values over one collection
	debug.FreeOSMemory()
	h.kept = read().system
	if h.pause *= 2; now.system >= h.kept+worthwhile {
		h.pause = 2
	}
	if h.due = h.pause; h.pause > maxPause {
		h.due = 0
	}
}

// maxPause is for how many idle calls memory that is kept may become garbage.
const maxPause = 16

func (h *Heap) isDue() bool {
	if h.due == 0 {
		return false
	}
	h.due--
	return h.due == 0
}

// usage is what the runtime knows about its memory, in bytes.
type usage struct {
	system int64  // taken from the system and not given back
	live   int64  // in use at the last collection, with stacks
	goal   int64  // size at which the next collection begins, with stacks
	cycles uint64 // collections that the runtime began by itself
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
