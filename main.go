// Pubsub is a chat and publish/subscribe server over long polling.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"pubsub/server"
)

//go:embed static templates
var files embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends and every request is answered. It prints one line
// with the address to stdout when it listens, and logs to stderr.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	config, err := server.LoadConfig(args, getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		server.WriteHelp(stdout)
		return nil
	case err != nil:
		return fmt.Errorf("These settings are wrong:\n%w", err) //nolint:staticcheck // shown to a person as it is
	case config.ShowVersion:
		fmt.Fprintln(stdout, "pubsub", version())
		return nil
	}
	static, _ := fs.Sub(files, "static")       // both are embedded above
	templates, _ := fs.Sub(files, "templates") // so this cannot fail
	s, err := server.New(config, static, templates, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", config.Addr)
	if err != nil {
		return errors.Join(fmt.Errorf("Cannot listen on %s: %w", config.Addr, err), s.Close())
	}
	fmt.Fprintf(stdout, "The chat is at http://%s\n", browsable(l.Addr().(*net.TCPAddr)))
	return errors.Join(s.Serve(ctx, l), s.Close())
}

// browsable is an address that a browser on this machine can open.
func browsable(a *net.TCPAddr) string {
	if a.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d (on all interfaces)", a.Port)
	}
	return a.String()
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown version)"
	}
	return info.Main.Version
}
