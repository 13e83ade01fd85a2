package server

import (
	"context"
	"time"

	"pubsub/server/machine"
)

// Intervals in seconds.
const (
	giveBackEvery = 5  // of returning memory to the system
	forgetEvery   = 60 // of forgetting addresses and clients that are gone
)

// upkeep keeps the memory small and forgets idle addresses and clients, until ctx ends.
func (p *parts) upkeep(ctx context.Context) {
	heap := machine.NewHeap(p.settings.MemoryLimit)
	defer heap.Leave()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		heap.Limit(p.hub.Waiting() + int64(p.streams.Open()) + p.bus.Stats().Released)
		if n%giveBackEvery == 0 {
			heap.GiveBack()
		}
		if n%forgetEvery == 0 {
			p.access.Forget()
			p.polls.Forget()
			p.store.forget()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
