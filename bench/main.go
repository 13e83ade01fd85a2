package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `bench measures servers of long polls and streams.

  bench compare [flags]   hold this server beside its peers: a table and a page of charts
  bench run [flags]       one scenario on one target
  bench crowd [flags]     as many pending polls as the open files allow, one message to all
  bench ways [flags]      the same chat over polls, long polls, SSE and WebSockets
  bench tls [flags]       what TLS and HTTP/2 cost streams and polls
  bench logs [flags]      messages in memory, in a folder and in a Redis, beside each other
  bench attack [flags]    what a hostile stranger would do, while others chat

Each has a -help. See doc.go for what is measured and how to read it.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the program. Results go to stdout, progress and help for errors to
// stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "compare":
		return compare(ctx, args, stdout, stderr)
	case "run":
		return one(ctx, args, stdout, stderr)
	case "crowd":
		return crowd(ctx, args, stdout, stderr)
	case "ways":
		return ways(ctx, args, stdout, stderr)
	case "tls":
		return secure(ctx, args, stdout, stderr)
	case "logs":
		return compareLogs(ctx, args, stdout, stderr)
	case "attack":
		return attackers(ctx, args, stdout, stderr)
	case "help", "-help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return nil
	}
	return fmt.Errorf("%sname a command: compare, run, crowd, ways, tls, logs or attack", usage+"\n")
}

// newFlags is a set of flags whose help begins with about.
func newFlags(name, about string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("bench "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, "%s\n\nUsage: bench %s [flags]\n\n", about, name)
		f.PrintDefaults()
	}
	return f
}

func parse(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is not a flag; see %s -help", f.Arg(0), f.Name())
	}
	return nil
}
