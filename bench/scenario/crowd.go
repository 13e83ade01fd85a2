package scenario

import (
	"context"
	"fmt"
	"time"

	"pubsub/bench/target"
)

// crowdPatience is how long the target may take to close its connections.
const crowdPatience = 30 * time.Second

// Crowd lets n polls wait, gives one message to all and sends them away. Each
// step is told. After the last it waits until the target holds a quarter of the memory, at
// most so long: a Go program returns memory to the system bit by bit. The error says what
// the target did not do.
func Crowd(ctx context.Context, t *target.Target, n int, after time.Duration, tell func(format string, args ...any)) error {
	s := Default("fanout")
	s.Polls = n
	r := newRun(s, t)
	r.config.Messages = 1
	memory, files := t.Memory(), t.Files()
	begin := time.Now()
	clients, publishers, err := r.begin()
	if err != nil {
		return err
	}
	defer clients.Hangup()
	defer publishers.Close()
	tell("%s polls wait after %s%s", thousands(n), brief(time.Since(begin)), r.weight("; ", memory, n))

	begin = time.Now()
	publishers.Publish(0, begin.Sub(r.config.Base))
	complete := clients.Await(int64(n), 10*time.Second, time.Minute)
	took := time.Since(begin)
	if !complete {
		return fmt.Errorf("only %s of %s polls were given the message; %s", thousands(int(clients.Fresh())), thousands(n), clients.Problem())
	}
	r.target.Settle(settleLimit)
	tell("all have the message after %s and have asked again%s", brief(took), r.weight("; ", memory, n))

	publishers.Await(time.Second)
	publishers.Close()
	clients.Hangup()
	out := clients.Outcome(publishers.Accepted)
	tell("half of them had it after %s, 99 of 100 after %s; %d doubled", brief(out.Latency.Quantile(.5)), brief(out.Latency.Quantile(.99)), out.Doubled)
	if !t.Measured() {
		return nil
	}
	left := time.Now()
	for t.Files() > files && time.Since(left) < crowdPatience && ctx.Err() == nil {
		t.Settle(settleLimit)
	}
	if kept := t.Files() - files; kept > 0 {
		return fmt.Errorf("%d connections are still open %s after all have left", kept, crowdPatience)
	}
	tell("all have left, and every connection is given back after %s%s", brief(time.Since(left)), r.weight("; ", memory, 0))
	for held := t.Memory() - memory; t.Memory()-memory > held/4 && time.Since(left) < after && ctx.Err() == nil; {
		time.Sleep(250 * time.Millisecond)
	}
	tell("after %s%s", brief(time.Since(left)), r.weight(" it holds ", memory, 0))
	return ctx.Err()
}

// weight is what the target holds more than before.
func (r *run) weight(before string, memory int64, polls int) string {
	if !r.target.Measured() {
		return ""
	}
	more := float64(r.target.Memory() - memory)
	text := fmt.Sprintf("%s%.0f MB more memory than before", before, more/(1<<20))
	if polls > 0 {
		text += fmt.Sprintf(", %.1f KB a poll", more/(1<<10)/float64(polls))
	}
	return text
}

func brief(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
