package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"pubsub/bench/logs"
)

// compareLogs is bench logs: the logs that messages can be kept in, beside each other.
func compareLogs(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("logs", `Compares a server with its messages in memory, in a folder, and in a Redis: posts,
fan-out, and how much later a message comes at another instance. Starts redis-server.

  bench logs -command 'PUBSUB_ADDR=127.0.0.1:{port} exec ../pubsub'`, stderr)
	var o logs.Options
	f.StringVar(&o.Command, "command", "", "`command` for the shell that starts a server; {port} becomes a free port")
	f.DurationVar(&o.For, "for", 3*time.Second, "each measurement of posts")
	f.IntVar(&o.Rounds, "rounds", 3, "how often all is done, in turn")
	port := f.Int("redis-port", 16399, "a free `port` for the Redis")
	if err := parse(f, args); err != nil {
		return err
	}
	if o.Command == "" {
		return errors.New("start a server with -command")
	}
	stop, err := logs.StartRedis(*port)
	if err != nil {
		return err
	}
	defer stop()
	o.Redis = fmt.Sprintf("127.0.0.1:%d", *port)
	table, err := logs.Run(ctx, o, func(text string) { fmt.Fprintln(stderr, text) })
	if err != nil {
		return err
	}
	table.WriteMarkdown(stdout)
	return nil
}
