package scenario

import (
	"context"
	"fmt"
	"time"

	"pubsub/bench/load"
)

// fanoutWarmup is how many messages go ahead unmeasured.
const fanoutWarmup = 3

// rounds is how many messages are measured: enough for some 20,000 deliveries.
func (s Scenario) rounds() int {
	if s.Rounds > 0 {
		return s.Rounds
	}
	return min(max(20_000/s.Polls, 5), 50)
}

// fanout publishes one message to all polls, again and again: each time all
// have it, have asked again, and the target has come to rest.
func (r *run) fanout(ctx context.Context) error {
	r.config.Messages, r.config.Measured = fanoutWarmup+r.rounds(), fanoutWarmup
	clients, publishers, err := r.begin()
	if err != nil {
		return err
	}
	defer clients.Hangup()
	defer publishers.Close()
	for message := range r.config.Messages {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		meter := startMeter(r.target, clients)
		intended := time.Now()
		publishers.Publish(message, intended.Sub(r.config.Base))
		complete := clients.Await(meter.delivered+int64(r.Polls), 3*time.Second, 30*time.Second)
		took := time.Since(intended)
		if !complete && clients.Fresh() == 0 {
			return nothingCame(clients, publishers)
		}
		r.target.Settle(settleLimit)
		if message < fanoutWarmup {
			continue
		}
		meter.stop(&r.result)
		if complete {
			r.result.AllHave.Add(took)
		}
	}
	r.end(clients, publishers)
	return nil
}

// begin connects everybody and lets the target come to rest.
func (r *run) begin() (*load.Clients, *load.Publishers, error) {
	clients, err := r.connect()
	if err != nil {
		return nil, nil, err
	}
	publishers, err := load.NewPublishers(r.config)
	if err != nil {
		clients.Hangup()
		return nil, nil, err
	}
	r.target.Settle(settleLimit)
	return clients, publishers, nil
}

// connect connects the clients, and opens their streams.
func (r *run) connect() (*load.Clients, error) {
	clients, err := load.Connect(r.config, r.Polls)
	if err != nil {
		return nil, err
	}
	if !clients.AwaitOpen(int64(r.readers()), 5*time.Second, time.Minute) {
		clients.Hangup()
		return nil, fmt.Errorf("not all of %s streams were opened; %s", thousands(r.Polls), clients.Problem())
	}
	return clients, nil
}

// end sums up the messages.
func (r *run) end(clients *load.Clients, publishers *load.Publishers) {
	publishers.Await(time.Second) // a message may come before its publisher knows
	clients.Hangup()
	r.result.Outcome = clients.Outcome(publishers.Accepted)
	for m := r.config.Measured; m < r.config.Messages; m++ {
		if !publishers.Accepted(m) {
			r.result.Refused++
		}
	}
	for _, problem := range []string{clients.Problem(), publishers.Problem()} {
		if problem != "" {
			r.result.warn("%s", problem)
		}
	}
}

// nothingCame says why a target is of no use.
func nothingCame(clients *load.Clients, publishers *load.Publishers) error {
	for _, problem := range []string{publishers.Problem(), clients.Problem()} {
		if problem != "" {
			return fmt.Errorf("no message came; does the target speak this dialect? %s", problem)
		}
	}
	return fmt.Errorf("no message came; does the target speak this dialect?")
}
