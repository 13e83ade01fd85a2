package machine

import (
	"math"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
)

// Heap keeps the memory of the process near what it needs. With GOGC as main sets it, garbage
// may grow to four times the memory in use. That suits polls, which are many and small, as it
// takes few collections. It does not suit messages: clients could make the server take five
// times the memory of those that it keeps. So Heap sets the memory limit of the Go runtime.
//
// Make it with [NewHeap]. One goroutine at a time may use it, and a process needs only one.
type Heap struct {
	most   int64  // bytes that the process may take
	tuned  bool   // Heap sets the limit; false if GOMEMLIMIT is set
	before int64  // the runtime's limit before NewHeap
	set    int64  // the limit that Heap has set
	kept   int64  // bytes of the process when GiveBack last freed memory
	cycles uint64 // collections before the last GiveBack
	due    int    // idle calls of GiveBack until it frees memory again; 0 is never
	pause  int    // the last value to which due was set
}

const (
	calmHeap   = 160 << 20 // bytes up to which GOGC alone decides
	calmPolls  = 1000      // how many polls fit in calmHeap
	pollBytes  = 30 << 10  // of a waiting poll
	worthwhile = 8 << 20   // bytes; to free fewer is not worth a collection
)

// NewHeap returns a Heap for a process that may take most bytes; 0 is no limit. If GOMEMLIMIT
// is set, the runtime's limit stays as it is.
func NewHeap(most int64) *Heap {
	if most == 0 {
		most = math.MaxInt64
	}
	h := &Heap{most: most, before: debug.SetMemoryLimit(-1)}
	h.tuned = h.before == math.MaxInt64
	h.kept, h.cycles = read().system, read().cycles
	return h
}

// Leave restores the runtime's limit of before NewHeap.
func (h *Heap) Leave() { debug.SetMemoryLimit(h.before) }

// Limit sets how far the heap may grow: garbage may be half of the memory in use, and four
// times for polls. Call it each time the number of polls may have changed, such as every
// second.
func (h *Heap) Limit(polls int64) {
	if !h.tuned {
		return
	}
	limit := min(max(calmHeap, read().live*3/2)+4*pollBytes*max(0, polls-calmPolls), h.most)
	if limit > h.set || limit < h.set/8*7 { // changing the limit stops all goroutines for a moment
		h.set = limit
		debug.SetMemoryLimit(limit)
	}
}

// GiveBack returns unused memory to the system. Call it every few seconds. The runtime by
// itself would keep the memory until its next collection, which may be minutes away when
// little is allocated. Even then it would keep memory below its limit.
//
// Memory that is in use now may be garbage soon. So GiveBack frees again after two idle
// calls, and each time that was worth nothing it waits for twice as many.
func (h *Heap) GiveBack() {
	now := read()
	idle := now.cycles == h.cycles
	h.cycles = now.cycles
	if now.system < now.goal+4*worthwhile && !(idle && (now.system > h.kept+worthwhile || h.isDue())) {
		return
	}
	runtime.GC() // the first of two collections, because a sync.Pool keeps its values over one
	debug.FreeOSMemory()
	h.kept = read().system
	if h.pause *= 2; now.system >= h.kept+worthwhile {
		h.pause = 2
	}
	if h.due = h.pause; h.pause > maxPause {
		h.due = 0
	}
}

// maxPause is the largest number of idle calls to wait for.
const maxPause = 16

func (h *Heap) isDue() bool {
	if h.due == 0 {
		return false
	}
	h.due--
	return h.due == 0
}

// usage is the memory of the process as the runtime knows it, in bytes.
type usage struct {
	system int64  // taken from the system and not given back
	live   int64  // in use at the last collection, with stacks
	goal   int64  // size at which the next collection begins, with stacks
	cycles uint64 // collections that were not forced
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
