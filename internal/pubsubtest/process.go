package pubsubtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Patience is how long a test waits for what should come at once, on a machine that
// is busy.
const Patience = 30 * time.Second

// Process is a program that runs beside the tests. Its methods may be called from
// several goroutines.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdout output
	stderr output
	ended  chan struct{} // closed when the program has ended
	err    error         // of that end; to be read after ended

	stopOnce sync.Once
	stopErr  error
}

// Launch starts a program and returns when a line of its output contains ready. What
// it writes is kept, unless cmd has a Stdout or Stderr already. The caller stops it.
func Launch(cmd *exec.Cmd, ready string) (*Process, error) {
	p := &Process{name: filepath.Base(cmd.Path), cmd: cmd, ended: make(chan struct{})}
	isReady := make(chan struct{})
	announce := sync.OnceFunc(func() { close(isReady) })
	p.stdout.ready, p.stdout.announce = []byte(ready), announce
	p.stderr.ready, p.stderr.announce = []byte(ready), announce
	if cmd.Stdout == nil {
		cmd.Stdout = &p.stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.stderr
	}
	cmd.WaitDelay = Patience // for children that hold its output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	select {
	case <-isReady:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s ended before it was ready (%v)\n%s", p.name, p.err, p.written())
	case <-time.After(Patience):
		_ = cmd.Process.Kill()
		<-p.ended
		return nil, fmt.Errorf("%s did not become ready\n%s", p.name, p.written())
	}
}

// Run is Launch for a test. At the end of the test the program is stopped with
// SIGTERM, unless it was stopped before, and must end well. If the test fails, what
// the program wrote is in the test's log.
func Run(t testing.TB, cmd *exec.Cmd, ready string) *Process {
	t.Helper()
	p, err := Launch(cmd, ready)
	require.NoError(t, err)
	p.endWith(t)
	return p
}

func (p *Process) endWith(t testing.TB) {
	t.Cleanup(func() {
		p.stopOnce.Do(func() { assert.NoError(t, p.end(syscall.SIGTERM)) })
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, p.written())
		}
	})
}

// Log is what the program has written to stderr so far, and all of it after Stop.
func (p *Process) Log() string { return p.stderr.String() }

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal and waits for nothing.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// Stop sends a signal and waits for the end. Its error tells of any end but one with
// exit code 0 within [Patience], after which the program is killed. Only the first
// call sends its signal; the others return what that one returned.
func (p *Process) Stop(sig os.Signal) error {
	p.stopOnce.Do(func() { p.stopErr = p.end(sig) })
	return p.stopErr
}

func (p *Process) end(sig os.Signal) error {
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s ended badly after %v: %w\n%s", p.name, sig, p.err, p.written())
		}
		return nil
	case <-time.After(Patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end after %v\n%s", p.name, sig, p.written())
	}
}

func (p *Process) written() string { return p.stdout.String() + p.stderr.String() }

// output keeps what a program writes, and announces when it is ready.
type output struct {
	textMu   sync.Mutex
	text     bytes.Buffer
	ready    []byte
	announce func()
}

func (o *output) Write(b []byte) (int, error) {
	o.textMu.Lock()
	defer o.textMu.Unlock()
	o.text.Write(b)
	if o.ready == nil {
		return len(b), nil
	}
	if _, after, found := bytes.Cut(o.text.Bytes(), o.ready); found && bytes.IndexByte(after, '\n') >= 0 {
		o.ready = nil
		o.announce()
	}
	return len(b), nil
}

func (o *output) String() string {
	o.textMu.Lock()
	defer o.textMu.Unlock()
	return o.text.String()
}

// Find returns the path of a program that is installed under one of these names. A
// test that needs it and does not find it fails, and says which Debian package to
// install.
func Find(t testing.TB, debian string, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, at := range []string{name, filepath.Join("/usr/sbin", name)} { // which is not on everybody's PATH
			if path, err := exec.LookPath(at); err == nil {
				return path
			}
		}
	}
	t.Fatalf("This test needs %s. On Debian: apt-get install %s", names[0], debian)
	return ""
}

// Reserve returns a host:port that is free, and stays so until the end of the test: a
// socket that is bound but does not listen keeps it from outgoing connections, and
// lets a server have it. It returns "" where the machine has no such address.
func Reserve(t testing.TB, host string) string {
	t.Helper()
	ip := net.ParseIP(host)
	family, addr := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Addr: [16]byte(ip.To16())})
	if v4 := ip.To4(); v4 != nil {
		family, addr = syscall.AF_INET, &syscall.SockaddrInet4{Addr: [4]byte(v4)}
	}
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		return ""
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	syscall.CloseOnExec(socket)
	require.NoError(t, syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if syscall.Bind(socket, addr) != nil {
		return ""
	}
	bound, err := syscall.Getsockname(socket)
	require.NoError(t, err)
	port := 0
	switch bound := bound.(type) {
	case *syscall.SockaddrInet4:
		port = bound.Port
	case *syscall.SockaddrInet6:
		port = bound.Port
	}
	return net.JoinHostPort(host, fmt.Sprint(port))
}
