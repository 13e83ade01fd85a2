package scenario

import (
	"context"
	"fmt"
	"time"

	"pubsub/bench/load"
)

// churnWarmup is how many polls are hung up unmeasured.
const churnWarmup = 500

// churn polls and hangs up. Then the target must have given back what the
// polls held, and still deliver.
func (r *run) churn(ctx context.Context) error {
	pace := load.Steady(r.Rate)
	if _, err := load.Churn(ctx, r.config, churnWarmup, r.Polls, pace); err != nil {
		return err
	}
	r.target.Settle(settleLimit)
	r.result.Memory0, r.result.Files0 = r.target.Memory(), r.target.Files()

	meter := startMeter(r.target, nil)
	churned, err := load.Churn(ctx, r.config, r.Hangups, r.Polls, pace)
	if err != nil {
		return err
	}
	rested := r.target.Settle(settleLimit)
	meter.stop(&r.result)
	r.result.Hangups = churned.Hangups
	if !rested {
		r.result.warn("the target was busy still %s after the last hang-up", settleLimit)
	}
	if churned.Answered > 0 {
		r.result.warn("%d polls were answered though nothing was published", churned.Answered)
	}
	if late := churned.Late.Quantile(0.99); late > 100*time.Millisecond {
		r.result.warn("the hang-ups fell behind: one of 100 came %s late, since the target accepts no faster", late.Round(time.Millisecond))
	}
	r.result.Memory2, r.result.Files2 = r.target.Memory(), r.target.Files()
	return r.probe()
}

// probe delivers one message.
func (r *run) probe() error {
	r.config.Messages, r.config.Measured = 1, 0
	clients, publishers, err := r.begin()
	if err != nil {
		return fmt.Errorf("after the hang-ups: %w", err)
	}
	defer clients.Hangup()
	defer publishers.Close()
	publishers.Publish(0, time.Since(r.config.Base))
	if !clients.Await(int64(r.Polls), 3*time.Second, 10*time.Second) {
		r.result.warn("after the hang-ups only %d of %d polls were given a message", clients.Fresh(), r.Polls)
	}
	return nil
}
