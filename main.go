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
	"strings"
	"syscall"
	"time"

	"pubsub/server"
	"pubsub/server/conns"
	"pubsub/server/logs"
	"pubsub/server/settings"
)

//go:embed static templates
var files embed.FS

// gcPercent lets the heap grow to five times what is in use before the garbage
// collector runs. Pending polls are small and live long; collecting them over
// and over was a tenth of the server's work. GOGC overrides it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // whoever reads the log may leave
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		time.AfterFunc(time.Second, func() { os.Exit(1) }) // or may not read
		fmt.Fprintln(os.Stderr, "pubsub:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends and every request is answered. It prints one line
// with the address to stdout when it listens, and logs to stderr.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	config, err := settings.Load(args, environ)
	switch {
	case errors.Is(err, flag.ErrHelp):
		settings.WriteHelp(stdout)
		return nil
	case err != nil:
		return fmt.Errorf("wrong settings:\n%w", err)
	case config.ShowVersion:
		fmt.Fprintln(stdout, "pubsub", version())
		return nil
	}
	static, _ := fs.Sub(files, "static")       // both are embedded above
	templates, _ := fs.Sub(files, "templates") // so this cannot fail
	lines := logs.New(stderr, config.LogLevel, config.LogFormat == "json")
	defer lines.Close()
	log := slog.New(lines)
	for _, warning := range config.Warnings {
		log.Warn(warning)
	}
	s, err := server.New(config, static, templates, log)
	if err != nil {
		return err
	}
	defer s.Close()
	l, err := conns.Listen(config.Addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", config.Addr, err)
	}
	defer l.Close()
	var admin net.Listener
	if config.AdminAddr != "" {
		if admin, err = net.Listen("tcp", config.AdminAddr); err != nil {
			return fmt.Errorf("cannot listen on %s for the admin's metrics and pprof: %w", config.AdminAddr, err)
		}
		log.Info("metrics and pprof", "address", admin.Addr())
	}
	fmt.Fprintf(stdout, "The chat is at %s\n", browsable(l.Addr()))
	return s.Serve(ctx, l, admin)
}

// browsable is an address that a browser on this machine can open, if any can.
func browsable(addr net.Addr) string {
	switch tcp, ok := addr.(*net.TCPAddr); {
	case !ok:
		return "unix:" + addr.String()
	case tcp.IP.IsUnspecified():
		return fmt.Sprintf("http://localhost:%d (on all interfaces)", tcp.Port)
	}
	return "http://" + addr.String()
}

// version is what the build knows of itself: a tag or a commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	text := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && !strings.Contains(text, setting.Value[:12]) {
			text += " " + setting.Value[:12]
		}
	}
	return text + ", " + info.GoVersion
}
