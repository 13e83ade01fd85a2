// Package logs compares the logs that messages can be kept in: memory, a folder and a
// Redis, with one instance and with several.
package logs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"pubsub/bench/dialect"
	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

// Options say what is run.
type Options struct {
	Command string        // for the shell; {port} becomes a free port
	Redis   string        // host:port of one that runs, for nobody else
	For     time.Duration // each measurement of posts
	Rounds  int           // all is done so often, in turn
}

// kinds are the logs, each with the value of PUBSUB_HISTORY.
func (o Options) kinds(folder string) [][2]string {
	return [][2]string{{"memory", "memory"}, {"folder", folder}, {"Redis", "redis://" + o.Redis}}
}

// posters is how many post at once.
var posters = []int{1, 10, 100}

// Run runs all of it.
func Run(ctx context.Context, o Options, progress func(string)) (*Table, error) {
	table := new(Table)
	for round := range o.Rounds {
		folder, err := os.MkdirTemp("", "pubsub-logs")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(folder)
		for _, kind := range o.kinds(folder) {
			progress(fmt.Sprintf("round %d of %d: %s", round+1, o.Rounds, kind[0]))
			if err := o.measure(ctx, table, kind[0], kind[1]); err != nil {
				return nil, fmt.Errorf("%s: %w", kind[0], err)
			}
		}
		if err := o.between(ctx, table); err != nil {
			return nil, fmt.Errorf("three instances: %w", err)
		}
	}
	return table, nil
}

// start starts an instance with no limits and messages in a log.
func (o Options) start(ctx context.Context, history string) (*target.Target, error) {
	d, err := dialect.Named("cursor")
	if err != nil {
		return nil, err
	}
	const free = "PUBSUB_MAX_POLLS_PER_ADDRESS=0 PUBSUB_MAX_CONNECTIONS_PER_ADDRESS=0 PUBSUB_PUBLISH_RATE=0 PUBSUB_REQUEST_RATE=0 PUBSUB_HISTORY_AGE=5m"
	return target.Start(ctx, target.Spec{Name: "pubsub", Dialect: d, Command: free + " PUBSUB_HISTORY=" + history + " " + o.Command})
}

func (o Options) measure(ctx context.Context, table *Table, name, history string) error {
	t, err := o.start(ctx, history)
	if err != nil {
		return err
	}
	defer t.Stop()
	for _, n := range posters {
		p, err := post(ctx, t, n, o.For)
		if err != nil {
			return err
		}
		table.add(fmt.Sprintf("posts a second, %d at once", n), name, p.rate)
		table.add(fmt.Sprintf("CPU of ours a post, µs, %d at once", n), name, micros(p.cpu))
		table.add(fmt.Sprintf("p99 of a post, ms, %d at once", n), name, millis(p.p99))
	}
	result, err := scenario.Default("fanout").Run(ctx, t)
	if err != nil {
		return err
	}
	table.add("CPU a delivery to 1,000 polls, µs", name, micros(result.PerDelivery()))
	return nil
}

// between measures how much later a message comes at another instance than at its own.
func (o Options) between(ctx context.Context, table *Table) error {
	var instances [3]*target.Target
	for i := range instances {
		t, err := o.start(ctx, "redis://"+o.Redis)
		if err != nil {
			return err
		}
		defer t.Stop()
		instances[i] = t
	}
	for name, to := range map[string]*target.Target{"the same": instances[0], "another": instances[1]} {
		delays, err := deliver(ctx, instances[0], to)
		if err != nil {
			return err
		}
		table.add("post to poll at "+name+" instance of 3, median, ms", "Redis", millis(delays.Quantile(0.5)))
		table.add("post to poll at "+name+" instance of 3, p99, ms", "Redis", millis(delays.Quantile(0.99)))
	}
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// StartRedis starts a Redis that keeps what it acknowledges as its default is, in a folder
// of its own, on a port.
func StartRedis(port int) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "pubsub-redis")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--save", "")
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("redis-server: %w", err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}, nil
}
