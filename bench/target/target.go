// Package target starts the servers that are compared and reads what they use.
package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"pubsub/bench/load"
)

// Spec says what a target is: the URL of a server that runs, or a command that
// starts one.
type Spec struct {
	Name    string
	About   string // what it is, for the legend
	Dialect load.Dialect
	Plain   load.Dialect            // for the scenarios without a cursor; nil if it has no such polls
	Streams map[string]load.Dialect // for the scenarios of streams, by their way: sse, ws

	URL string // of a server that runs
	PID int    // of that server, if it is on this machine: then CPU and memory are told

	// Command is for a shell; {port} becomes a free port and {dir} a folder
	// that is removed afterwards. Prepare, if any, fills that folder.
	Command string
	Prepare func(dir string, port int) error

	MaxPolls int // more break it; 0 for any number
}

// Target is a server that accepts connections.
type Target struct {
	Spec
	Addr netip.AddrPort
	Host string

	process *process // nil for a URL
	dir     string
	pids    []int
}

// readyTimeout is how long a started command may take to listen.
const readyTimeout = 20 * time.Second

// Start starts the target, if it has a command, and waits until it listens.
func Start(ctx context.Context, spec Spec) (*Target, error) {
	t := &Target{Spec: spec}
	if err := t.start(ctx); err != nil {
		t.Stop()
		return nil, fmt.Errorf("%s: %w", spec.Name, err)
	}
	return t, nil
}

func (t *Target) start(ctx context.Context) (err error) {
	address, pid := t.URL, t.PID
	if t.Command != "" {
		if address, err = t.launch(); err != nil {
			return err
		}
		pid = t.process.pid()
	}
	if t.Addr, t.Host, err = resolve(address); err != nil {
		return err
	}
	if err = t.await(ctx); err != nil {
		return err
	}
	t.pids, err = family(pid)
	return err
}

// launch starts the command and returns where it will listen.
func (t *Target) launch() (address string, err error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	if t.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return "", err
	}
	// A worker that gives up its rights must still get at the folder.
	if err = os.Chmod(t.dir, 0o755); err != nil {
		return "", err
	}
	if t.Prepare != nil {
		if err = t.Prepare(t.dir, port); err != nil {
			return "", err
		}
	}
	command := strings.NewReplacer("{port}", strconv.Itoa(port), "{dir}", t.dir).Replace(t.Command)
	t.process, err = start(command)
	return fmt.Sprintf("http://127.0.0.1:%d", port), err
}

// await asks until there is an answer. A connection alone would tell too little:
// nginx listens before its worker is there, whose CPU and memory count.
func (t *Target) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		err := t.answers(ctx)
		if err == nil {
			return nil
		}
		if t.process == nil {
			return fmt.Errorf("nothing listens there; is the server running? %w", err)
		}
		select {
		case <-t.process.ended:
			return fmt.Errorf("the command ended before it listened: %s", t.process.output())
		case <-ctx.Done():
			return fmt.Errorf("the command does not listen on its port; is {port} where it belongs? %s", t.process.output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers tells whether the target answers a request, in whatever way.
func (t *Target) answers(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		conn.SetDeadline(end)
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", t.Host); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// Stop ends what Start began.
func (t *Target) Stop() {
	if t.process != nil {
		t.process.stop()
	}
	if t.dir != "" {
		os.RemoveAll(t.dir)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// resolve finds where a base URL leads.
func resolve(address string) (addr netip.AddrPort, host string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return addr, "", fmt.Errorf("%q is not the address of a target; write http://HOST:PORT, without https or a path", address)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	tcp, err := net.ResolveTCPAddr("tcp4", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		var second error
		if tcp, second = net.ResolveTCPAddr("tcp6", net.JoinHostPort(u.Hostname(), port)); second != nil {
			return addr, "", errors.Join(err, second)
		}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), u.Host, nil
}
