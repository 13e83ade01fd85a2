package conformance_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	pubsub   = "pubsub"
	original = "original"
)

var (
	baseURL = flag.String("base-url", "", "look at the server at this `URL` instead of starting one")
	profile = flag.String("profile", pubsub, "whose answers to expect: pubsub or original")
)

var (
	base   server // the server under test
	binary string // this server, built; empty with -base-url
)

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if *profile != pubsub && *profile != original {
		return 0, fmt.Errorf("-profile=%s: want %s or %s", *profile, pubsub, original)
	}
	if *baseURL != "" {
		base, err = newServer(*baseURL)
		if err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	if *profile == original {
		return 0, errors.New("-profile=original needs the -base-url of a running original")
	}

	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pubsub")
	if err := build(binary); err != nil {
		return 0, err
	}
	p, err := start()
	if err != nil {
		return 0, err
	}
	base = p.server
	code = m.Run()
	return code, p.stop(syscall.SIGTERM)
}

// build builds the module's root, with the race detector if the tests themselves run with it.
func build(to string) error {
	args := []string{"build", "-o", to}
	if info, ok := debug.ReadBuildInfo(); ok {
		if slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
			args = append(args, "-race")
		}
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}

// process is a server that this suite started.
type process struct {
	server
	cmd    *exec.Cmd
	log    bytes.Buffer // its stderr; to be read after exited only
	exited chan error
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// start starts the built server on a free port with the given NAME=value settings, and returns when
// it has said where it listens.
func start(settings ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary), exited: make(chan error, 1)}
	// All clients of the suite come from one address, and faster than one person.
	p.cmd.Env = append(environment(), "PUBSUB_ADDR=127.0.0.1:0", "PUBSUB_PUBLISH_RATE=0")
	p.cmd.Env = append(p.cmd.Env, settings...)
	p.cmd.Stderr = &p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}

	listening := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if at := address.FindString(lines.Text()); at != "" && len(listening) == 0 {
				listening <- at
			}
		}
		p.exited <- p.cmd.Wait()
	}()
	select {
	case at := <-listening:
		p.server, err = newServer(at)
		return p, err
	case err := <-p.exited:
		return nil, fmt.Errorf("the server ended before it listened: %v\n%s", err, &p.log)
	case <-time.After(patience):
		p.cmd.Process.Kill()
		return nil, errors.Join(errors.New("the server did not say where it listens"), <-p.exited)
	}
}

// stop sends the signal and reports any end but a clean one with status 0.
func (p *process) stop(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case err := <-p.exited:
		if err != nil {
			return fmt.Errorf("the server ended badly after %v: %w\n%s", sig, err, &p.log)
		}
		return nil
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.exited
		return fmt.Errorf("the server did not end after %v\n%s", sig, &p.log)
	}
}

// environment is this process's, without what would change the server's settings.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(setting string) bool {
		return strings.HasPrefix(setting, "PUBSUB_") || strings.HasPrefix(setting, "PORT=")
	})
}

// ownServers reports whether cases may start servers with settings of their own.
func ownServers(t *testing.T) bool {
	t.Helper()
	if binary == "" {
		t.Log("no cases: they need servers with settings of their own, and -base-url names one that runs")
	}
	return binary != ""
}

// startServer starts a server with the given NAME=value settings; it must end cleanly with the test.
func startServer(t *testing.T, settings ...string) server {
	t.Helper()
	p, err := start(settings...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.stop(syscall.SIGTERM)) })
	return p.server
}

func newServer(at string) (server, error) {
	u, err := url.Parse(at)
	if err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		err = fmt.Errorf("%q is not the URL of a server, such as http://127.0.0.1:8080", at)
	}
	if err != nil {
		return server{}, err
	}
	return server{u}, nil
}
