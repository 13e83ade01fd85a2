package server

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	thriftEvery = 5 * time.Second
	worthwhile  = 16 << 20 // bytes to win; for less a collection costs too much
)

// giveBack returns memory to the system when most polls have left, until ctx
// ends. The runtime alone would keep for minutes what it once needed.
func (s *Server) giveBack(ctx context.Context) {
	tick := time.NewTicker(thriftEvery)
	defer tick.Stop()
	most, kept := int64(0), fromSystem() // since memory was given back last, and then
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		held := s.hub.Waiting() + s.bus.Stats().Released
		most = max(most, held)
		if held > most/4 || fromSystem() < kept+worthwhile {
			continue
		}
		runtime.GC() // what lies in a sync.Pool outlives one collection
		debug.FreeOSMemory()
		most, kept = held, fromSystem()
	}
}

// fromSystem is how many bytes Go has from the system.
func fromSystem() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}
