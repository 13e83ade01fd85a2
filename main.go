// Pubsub is a chat and publish/subscribe server over long polling.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"pubsub/internal/cli"
	"pubsub/internal/tokencli"
	"pubsub/internal/torture"
	"pubsub/server"
	"pubsub/server/asynclog"
	"pubsub/server/conns"
	"pubsub/server/settings"
	"pubsub/server/version"
)

// gcPercent lets the heap grow to five times what is in use before the garbage collector
// runs. Pending polls are small and live long: to look at them again and again was a
// tenth of the server's work. GOGC overrides it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // the reader of the log may end before this process
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		status := exitStatus(err)
		time.AfterFunc(time.Second, func() { os.Exit(status) }) // if nobody reads stderr
		fmt.Fprintln(os.Stderr, "pubsub:", cli.Printable(err.Error()))
		os.Exit(status)
	}
}

// exitStatus is 2 for wrong usage of a word that has flags of its own.
func exitStatus(err error) int {
	if errors.Is(err, torture.ErrUsage) || errors.Is(err, cli.ErrUsage) || errors.Is(err, tokencli.ErrUsage) {
		return 2
	}
	return 1
}

// run does what the first word of args says: serve, version, help, torture, tail, post, health
// or token. Flags follow the word; those of the last five are their own.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	word, args, err := settings.SplitWord(args)
	if err != nil {
		return err
	}
	switch word {
	case "token":
		return tokencli.Main(args, lookUp(environ), stdout)
	case "torture":
		return torture.Main(ctx, args, stdout, stderr)
	case "tail":
		return cli.Tail(ctx, args, stdout, stderr)
	case "health":
		return cli.Health(ctx, args, func() (cli.Here, error) {
			set, err := settings.Load(nil, environ)
			return cli.Here{Addr: set.Addr, TLS: set.HasTLS()}, err
		}, stdout)
	case "post":
		return cli.Post(ctx, args, os.Stdin, stdout, stderr)
	}
	set, err := settings.Load(args, environ)
	switch {
	case word == "help" || errors.Is(err, flag.ErrHelp):
		settings.WriteHelp(stdout)
		return nil
	case err != nil && word != "version":
		return fmt.Errorf("wrong settings:\n%w", err)
	case word == "version" || set.ShowVersion:
		fmt.Fprintln(stdout, "pubsub", version.String())
		return nil
	}
	return serve(ctx, set, stdout, stderr)
}

// announce prints a sentence to stdout, as JSON if the log is JSON: platforms collect both.
func announce(stdout io.Writer, format, sentence string) {
	if format == "json" {
		slog.New(slog.NewJSONHandler(stdout, nil)).Info(sentence)
		return
	}
	fmt.Fprintln(stdout, sentence)
}

// lookUp returns a function that finds a variable of an environment.
func lookUp(environ []string) func(name string) string {
	return func(name string) string {
		for _, each := range environ {
			if value, found := strings.CutPrefix(each, name+"="); found {
				return value
			}
		}
		return ""
	}
}

// serve runs the server until ctx ends and every request is answered. When it listens, it
// prints one line with the address to stdout. It logs to stderr.
func serve(ctx context.Context, set settings.Settings, stdout, stderr io.Writer) error {
	lines := asynclog.New(stderr, set.LogLevel, set.LogFormat == "json")
	defer lines.Close()
	log := slog.New(lines)
	for _, warning := range set.Warnings {
		log.Warn(warning)
	}
	s, err := server.New(set, staticFiles(), folder("templates"), log)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := conns.Listen(set.Addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", set.Addr, err)
	}
	defer l.Close()
	admin, err := listenAdmin(set.AdminAddr, log)
	if err != nil {
		return err
	}
	if set.RedirectAddr != "" {
		plain, err := net.Listen("tcp", set.RedirectAddr)
		if err != nil {
			return fmt.Errorf("cannot listen on %s for plain HTTP: %w", set.RedirectAddr, err)
		}
		log.Info("plain HTTP is sent to HTTPS", "address", plain.Addr())
		redirecting, end := context.WithCancel(ctx)
		var ended sync.WaitGroup
		ended.Go(func() { s.Redirect(redirecting, plain, l.Addr()) })
		defer ended.Wait()
		defer end()
	}
	announce(stdout, set.LogFormat, "The chat is at "+browsable(l.Addr(), &set))
	return s.Serve(ctx, l, admin)
}

// listenAdmin listens on the admin address. It returns nil if none is set.
func listenAdmin(addr string, log *slog.Logger) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s for the admin's metrics and pprof: %w", addr, err)
	}
	log.Info("metrics and pprof", "address", l.Addr())
	return l, nil
}

// browsable writes an address so that it can be opened in a browser on this machine. A
// Unix socket cannot.
func browsable(addr net.Addr, set *settings.Settings) string {
	scheme := "http://"
	if set.HasTLS() {
		scheme = "https://"
	}
	switch tcp, ok := addr.(*net.TCPAddr); {
	case !ok:
		return "unix:" + addr.String()
	case set.Domain != "":
		return scheme + set.Domain
	case tcp.IP.IsUnspecified():
		return fmt.Sprintf("%slocalhost:%d (on all interfaces)", scheme, tcp.Port)
	}
	return scheme + addr.String()
}
