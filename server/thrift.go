package server

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	thriftEvery = 5 * time.Second
	crowd       = 1000 // SUBs; what fewer hold is not worth a collection
)

// giveBack returns memory to the system when a crowd has left, until ctx ends.
// The runtime alone would keep for minutes what it once needed.
func (s *Server) giveBack(ctx context.Context) {
	tick := time.NewTicker(thriftEvery)
	defer tick.Stop()
	most := int64(0) // since memory was given back last
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		held := s.hub.Waiting() + s.bus.Stats().Released
		if most = max(most, held); most >= crowd && held < most/4 {
			runtime.GC() // what lies in a sync.Pool outlives one collection
			debug.FreeOSMemory()
			most = held
		}
	}
}
