package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"pubsub/bench/attack"
	"pubsub/bench/target"
)

// attackers is bench attack: what a hostile stranger would do.
func attackers(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("attack", about(), stderr)
	names := f.String("attack", "all", "which, with commas between them, or all")
	var o attack.Options
	f.StringVar(&o.Command, "command", "", "`command` for the shell that starts a server; {port} becomes a free port")
	f.IntVar(&o.Clients, "clients", 500, "honest people who read the chat")
	f.DurationVar(&o.Before, "before", 6*time.Second, "how long they chat before the attack; the server's memory grows for so long")
	f.DurationVar(&o.For, "for", 20*time.Second, "how long an attack goes on")
	f.DurationVar(&o.After, "after", 30*time.Second, "how long after it the server's memory is read again")
	f.IntVar(&o.Requests, "requests", 20_000, "how many the mix sends")
	f.IntVar(&o.Marks.Memory, "max-memory", 200, "`MB` that the server may hold at the peak")
	f.DurationVar(&o.Marks.Health, "max-health", 100*time.Millisecond, "how long a newcomer may wait for /healthz")
	f.IntVar(&o.Marks.Kept, "max-kept", 20, "`MB` that may be left after the attack, beside the messages of it that are kept")
	f.Float64Var(&o.Marks.Ratio, "max-ratio", 2, "how many times later the chat's messages may come in the median")
	if err := parse(f, args); err != nil {
		return err
	}
	attacks, err := attack.Named(*names)
	if err = errors.Join(err, o.Validate()); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	floor, _, err := target.Peers(ctx, []string{"floor"}, dir, "")
	if err != nil {
		return err
	}
	o.Beside = floor[0]
	// With a thread to spare the honest and the newcomer are not kept waiting by
	// the attackers in this process, only by the machine.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 8))
	return attackInTurn(ctx, attacks, o, stdout, stderr)
}

func attackInTurn(ctx context.Context, attacks []attack.Attack, o attack.Options, stdout, stderr io.Writer) error {
	var rows []attack.Row
	var missed []error
	for _, a := range attacks {
		fmt.Fprintf(stderr, "%s …\n", a.Name)
		row, err := a.Run(ctx, o)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			missed = append(missed, err)
		}
		if len(row.Missed) > 0 {
			missed = append(missed, fmt.Errorf("%s: %s", a.Name, strings.Join(row.Missed, "; ")))
		}
		attack.WriteRow(stdout, row)
		rows = append(rows, row)
	}
	fmt.Fprintln(stdout)
	attack.WriteMarkdown(stdout, rows)
	if len(missed) > 0 {
		return fmt.Errorf("marks were missed:\n%w", errors.Join(missed...))
	}
	return nil
}

// about is the help, with the table of attacks.
func about() string {
	var b strings.Builder
	b.WriteString(`Attacks a server as a hostile stranger would, while honest people chat on it. Each
attack has a fresh server. The exit status is 1 when a mark is missed.

  bench attack -command 'PUBSUB_ADDR=127.0.0.1:{port} exec ./pubsub'

The attacks:
`)
	for _, a := range attack.All {
		fmt.Fprintf(&b, "  %-14s %s\n", a.Name, a.About)
	}
	return b.String()
}
