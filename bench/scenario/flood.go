package scenario

import (
	"context"
	"time"

	"pubsub/bench/load"
)

// A flood is over when for floodPatience nothing has come, at the latest after
// floodLimit: what is on its way then is lost.
const (
	floodPatience = 2 * time.Second
	floodLimit    = 10 * time.Second
)

// flood publishes at a rate, whether or not the target keeps up.
func (r *run) flood(ctx context.Context) error {
	r.plan()
	clients, publishers, err := r.begin()
	if err != nil {
		return err
	}
	defer clients.Hangup()
	defer publishers.Close()
	return r.pour(ctx, clients, publishers)
}

// plan says which messages there will be.
func (r *run) plan() {
	r.config.Publishers = r.Publishers
	r.config.Measured = int(r.Rate * r.Warmup.Seconds())
	r.config.Messages = r.config.Measured + max(int(r.Rate*r.Duration.Seconds()), 1)
}

// pour publishes what was planned.
func (r *run) pour(ctx context.Context, clients *load.Clients, publishers *load.Publishers) error {
	var meter meter
	late := load.Pace(ctx, load.Steady(r.Rate), r.config.Messages, r.config.Base, time.Now(),
		func(message int, intended time.Duration) {
			if message == r.config.Measured {
				meter = startMeter(r.target, clients)
			}
			publishers.Publish(message, intended)
		})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	clients.Await(int64(r.config.Messages)*int64(r.readers()), floodPatience+r.Every, floodLimit)
	busy := meter.stop(&r.result)
	if clients.Fresh() == 0 {
		return nothingCame(clients, publishers)
	}
	r.end(clients, publishers)
	r.result.bottleneck(busy, &late)
	return nil
}
