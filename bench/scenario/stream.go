package scenario

import (
	"context"
	"time"

	"pubsub/bench/load"
)

// streamBefore is how long the target rests before it is weighed without
// streams: longer than a Go server keeps what it does not need any more.
const streamBefore = 6 * time.Second

// stream opens streams and weighs them when they have been quiet for a while.
// Then messages come at a rate, each to all.
func (r *run) stream(ctx context.Context) error {
	r.plan()
	if _, err := load.Churn(ctx, r.config, idleWarmup, idleWarmup, load.Steady(10_000)); err != nil {
		return err
	}
	if err := rest(ctx, min(streamBefore, r.Quiet)); err != nil {
		return err
	}
	r.result.Memory0, r.result.Files0 = r.target.Memory(), r.target.Files()
	clients, err := r.connect()
	if err != nil {
		return err
	}
	defer clients.Hangup()
	if err := rest(ctx, r.Quiet); err != nil {
		return err
	}
	r.result.Memory1 = r.target.Memory()
	publishers, err := load.NewPublishers(r.config) // now, as a silent connection may be cut
	if err != nil {
		return err
	}
	defer publishers.Close()
	return r.pour(ctx, clients, publishers)
}

// rest lets the target alone.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readers is how many of the clients read.
func (s Scenario) readers() int {
	if s.DeafEvery == 0 {
		return s.Polls
	}
	return s.Polls - s.Polls/s.DeafEvery
}
