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
func (p *parts) upkeep(ctx context.Context) {
	heap := machine.NewHeap(p.settings.MemoryLimit)
	defer heap.Leave()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		heap.Limit(p.hub.Waiting() + p.bus.Stats().Released)
		if n%giveBackEvery == 0 {
			heap.GiveBack()
		}
		if n%forgetEvery == 0 {
			p.access.Forget()
			p.polls.Forget()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
