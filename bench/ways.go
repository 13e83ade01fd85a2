package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pubsub/bench/dialect"
	"pubsub/bench/report"
	"pubsub/bench/scenario"
	"pubsub/bench/target"
)

// way is a way to read the chat.
type way struct {
	name, dialect string
	every         time.Duration // between two polls
}

// readWays are the ways to read the same chat, given how often short polls ask.
func readWays(every string) ([]way, error) {
	var all []way
	for text := range strings.SplitSeq(every, ",") {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("%q is not a time between two polls; write 5s,1s", text)
		}
		all = append(all, way{"poll each " + text, "short", d})
	}
	return append(all, way{"long poll", "cursor", 0}, way{"SSE", "sse", 0}, way{"WebSocket", "ws", 0}), nil
}

// ways is bench ways: what each way to read costs.
func ways(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("ways", `Lets the same chat be read by polls now and then, long polls, Server-Sent Events and
WebSockets, each on a fresh server, and prints what each way costs as a Markdown table.
Bytes are those of HTTP and WebSocket, without what TCP and IP add.`, stderr)
	clients := f.Int("clients", 200, "how many read")
	perMinute := f.Float64("messages", 60, "messages a minute")
	duration := f.Duration("duration", 30*time.Second, "how long is measured")
	quiet := f.Duration("quiet", 12*time.Second, "how long nothing is said before the clients are weighed")
	every := f.String("every", "5s,1s", "`times` between two short polls of a client")
	rounds := f.Int("rounds", 1, "how often everything is done")
	command := f.String("command", "", "`command` that starts the server; {port} becomes a free port; without it the server is built from source")
	chart := f.String("svg", "", "`file` for a chart")
	if err := parse(f, args); err != nil {
		return err
	}
	s := scenario.Default("stream")
	s.Way, s.Polls, s.Rate, s.Duration, s.Quiet = "", *clients, *perMinute/60, *duration, *quiet
	s.Warmup = min(5*time.Second, *duration)
	if err := s.Validate(); err != nil {
		return err
	}
	if *rounds < 1 {
		return errors.New("-rounds must be above 0")
	}
	all, err := readWays(*every)
	if err != nil {
		return err
	}
	spec, clean, err := ourselves(ctx, *command)
	if err != nil {
		return err
	}
	defer clean()
	r, err := readAll(ctx, spec, s, all, *rounds, stderr)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, report.Describe(*clients, *perMinute, *duration), " ")
	r.WriteMarkdown(stdout)
	if *chart == "" {
		return nil
	}
	var svg strings.Builder
	return errors.Join(r.WriteSVG(&svg), os.WriteFile(*chart, []byte(svg.String()), 0o644))
}

// ourselves is the server that a command starts, or this one, built from source.
func ourselves(ctx context.Context, command string) (spec target.Spec, clean func(), err error) {
	if command != "" {
		return target.Spec{Name: "pubsub", Command: command}, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return spec, nil, err
	}
	clean = func() { os.RemoveAll(dir) }
	specs, _, err := target.Peers(ctx, []string{"pubsub"}, filepath.Clean(dir), "")
	if err != nil {
		clean()
		return spec, nil, err
	}
	return specs[0], clean, nil
}

// readAll reads in all ways, in turn.
func readAll(ctx context.Context, spec target.Spec, s scenario.Scenario, ways []way, rounds int, stderr io.Writer) (*report.Ways, error) {
	var names []string
	for _, way := range ways {
		names = append(names, way.name)
	}
	all := report.NewWays(names, rounds)
	for round := range rounds {
		for _, way := range ways {
			var err error
			if spec.Dialect, err = dialect.Named(way.dialect); err != nil {
				return nil, err
			}
			s.Every = way.every
			fmt.Fprintf(stderr, "%s round %d of %d  %s\n", time.Now().Format(time.TimeOnly), round+1, rounds, way.name)
			result, err := runOnce(ctx, spec, s)
			if err != nil {
				return nil, err
			}
			all.Add(way.name, result)
		}
	}
	return all, nil
}
