package scenario

import (
	"context"

	"pubsub/bench/load"
)

// idleWarmup is how many polls come and go first, so that what a server sets up
// once is not counted.
const idleWarmup = 100

// idle lets polls wait and weighs them.
func (r *run) idle(ctx context.Context) error {
	r.config.Messages = 1
	if _, err := load.Churn(ctx, r.config, idleWarmup, idleWarmup, load.Steady(10_000)); err != nil {
		return err
	}
	r.target.Settle(settleLimit)
	r.result.Memory0, r.result.Files0 = r.target.Memory(), r.target.Files()
	clients, err := load.Connect(r.config, r.Polls)
	if err != nil {
		return err
	}
	defer clients.Hangup()
	r.target.Settle(settleLimit)
	r.result.Memory1 = r.target.Memory()
	if problem := clients.Problem(); problem != "" {
		r.result.warn("%s", problem)
	}
	if r.result.Measured && r.target.Files()-r.result.Files0 < r.Polls {
		r.result.warn("the target holds fewer connections than there are polls")
	}
	clients.Hangup()
	r.target.Settle(settleLimit)
	r.result.Memory2, r.result.Files2 = r.target.Memory(), r.target.Files()
	return nil
}
