package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

// crowd is bench crowd: as many polls as sockets allow.
func crowd(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("crowd", `Lets a crowd of polls wait on one server, gives one message to all of them, and
sends them away. Tells the time and the memory of each step.

  bench crowd -polls 18000 -command 'PUBSUB_ADDR=127.0.0.1:{port} ./pubsub'

The server's limits for one address must be off, and both processes may have to
open more files than there are polls (ulimit -n).`, stderr)
	polls := f.Int("polls", 18_000, "how many wait")
	after := f.Duration("after", 30*time.Second, "how long its memory is looked at when all have left")
	spec := targetFlags(f)
	if err := parse(f, args); err != nil {
		return err
	}
	s, err := spec()
	if err != nil {
		return err
	}
	if *polls < 1 {
		return fmt.Errorf("-polls must be above 0")
	}
	t, err := target.Start(ctx, s)
	if err != nil {
		return err
	}
	defer t.Stop()
	return scenario.Crowd(ctx, t, *polls, *after, func(format string, args ...any) { fmt.Fprintf(stdout, format+"\n", args...) })
}
