package server

import (
	"context"
	"time"

	"pubsub/server/machine"
)

// In seconds.
const (
	giveBackEvery = 5
	forgetEvery   = 60
)

// upkeep does until ctx ends what has to be done now and then.
func (s *Server) upkeep(ctx context.Context) {
	heap := machine.NewHeap(s.settings.MemoryLimit)
	defer heap.Leave()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		heap.Limit(s.hub.Waiting() + s.bus.Stats().Released)
		if n%giveBackEvery == 0 {
			heap.GiveBack()
		}
		if n%forgetEvery == 0 {
			s.access.Forget()
			s.polls.Forget()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
