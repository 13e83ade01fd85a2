package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"strings"

	"pubsub/bench/dialect"
	"pubsub/bench/load"
	"pubsub/bench/report"
	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

// one is bench run: one scenario on one target.
func one(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("run", `Runs one scenario on one target and prints what was measured.

  bench run -url http://127.0.0.1:8080 -pid 1234 -scenario flood -rate 500
  bench run -command 'PORT={port} ./pubsub' -scenario fanout -polls 10000`, stderr)
	kind := f.String("scenario", "fanout", "fanout, flood, churn, idle or stream")
	spec := targetFlags(f)
	work := workFlags(f)
	if err := parse(f, args); err != nil {
		return err
	}
	t, err := spec()
	if err != nil {
		return err
	}
	s := work(f, scenario.Default(*kind))
	if s.Plain {
		t.Plain = t.Dialect
	}
	if d, is := t.Dialect.(load.Endless); is { // the dialect is the way
		s.Way = "sse"
		if d.Framed() {
			s.Way = "ws"
		}
		t.Streams = map[string]load.Dialect{s.Way: d}
	} else {
		s.Way = ""
	}
	result, err := runOnce(ctx, t, s)
	if err != nil {
		return err
	}
	report.WriteResult(stdout, result)
	return nil
}

// runOnce starts a target, runs a scenario on it, and stops it.
func runOnce(ctx context.Context, spec target.Spec, s scenario.Scenario) (scenario.Result, error) {
	if err := s.Validate(); err != nil {
		return scenario.Result{}, err
	}
	t, err := target.Start(ctx, spec)
	if err != nil {
		return scenario.Result{}, err
	}
	defer t.Stop()
	return s.Run(ctx, t)
}

// targetFlags says where a target is, or how to start it.
func targetFlags(f *flag.FlagSet) func() (target.Spec, error) {
	url := f.String("url", "", "`address` of a server that runs, such as http://127.0.0.1:8080")
	pid := f.Int("pid", 0, "its process `id`, if it runs on this machine: for CPU and memory")
	command := f.String("command", "", "`command` for the shell that starts a server instead; {port} becomes a free port")
	name := f.String("dialect", "cursor", "how it is spoken to: "+strings.Join(dialect.Names(), ", "))
	return func() (target.Spec, error) {
		d, err := dialect.Named(*name)
		if (*url == "") == (*command == "") {
			err = errors.Join(err, errors.New("name the server with -url, or start one with -command"))
		}
		return target.Spec{Name: "target", Dialect: d, URL: *url, PID: *pid, Command: *command}, err
	}
}

// workFlags are the flags that change a scenario.
func workFlags(f *flag.FlagSet) func(*flag.FlagSet, scenario.Scenario) scenario.Scenario {
	var set scenario.Scenario
	f.IntVar(&set.Polls, "polls", 0, "polls that wait at a time (default 1000; flood 100, churn 500, idle 10000)")
	f.Float64Var(&set.Rate, "rate", 0, "flood: messages a second (default 1000); churn: hang-ups a second (default 4000)")
	f.DurationVar(&set.Duration, "duration", 0, "flood: how long is measured (default 5s)")
	f.DurationVar(&set.Warmup, "warmup", 0, "flood: how long before that (default 1s)")
	f.IntVar(&set.Publishers, "publishers", 0, "flood: how many publish, in turn (default 1)")
	f.IntVar(&set.Rounds, "messages", 0, "fanout: how many messages are measured (default: enough for 20,000 deliveries)")
	f.IntVar(&set.Hangups, "hangups", 0, "churn: how many polls are hung up (default 10000)")
	f.DurationVar(&set.Quiet, "quiet", 0, "stream: how long nothing happens before the streams are weighed (default 12s)")
	f.IntVar(&set.DeafEvery, "deaf", 0, "stream: each so-manyeth client never reads; 10 is one of ten (default none)")
	f.IntVar(&set.Size, "size", 0, "bytes of a message's text (default 64)")
	return func(f *flag.FlagSet, s scenario.Scenario) scenario.Scenario {
		f.Visit(func(given *flag.Flag) {
			switch given.Name {
			case "polls":
				s.Polls = set.Polls
				if s.Kind == "stream" && set.Rate == 0 {
					s = s.Numbered(set.Polls)
				}
			case "rate":
				s.Rate = set.Rate
			case "duration":
				s.Duration = set.Duration
			case "warmup":
				s.Warmup = set.Warmup
			case "publishers":
				s.Publishers = set.Publishers
			case "messages":
				s.Rounds = set.Rounds
			case "hangups":
				s.Hangups = set.Hangups
			case "quiet":
				s.Quiet = set.Quiet
			case "deaf":
				s.DeafEvery = set.DeafEvery
			case "size":
				s.Size = set.Size
			}
		})
		return s
	}
}
