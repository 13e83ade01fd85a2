package pubsubtest

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Redis is a redis-server with a folder of its own. It ends with the test.
type Redis struct {
	Addr string // host:port; stays over Restart
	Dir  string

	t       testing.TB
	options []string
	process *Process
	frozen  bool
}

// StartRedis starts one on a free port. It keeps nothing on the disk unless the options
// say so, which are those of redis-server.
func StartRedis(t testing.TB, options ...string) *Redis {
	t.Helper()
	r := &Redis{Addr: Reserve(t, "127.0.0.1"), t: t, options: options}
	var err error
	r.Dir, err = os.MkdirTemp("", "redis") // t.TempDir is removed before the process ends
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(r.Dir)) })
	t.Cleanup(r.Kill)
	r.Restart()
	return r
}

// URL is the address as a setting has it.
func (r *Redis) URL() string { return "redis://" + r.Addr }

// Restart starts it again, after Kill.
func (r *Redis) Restart() {
	r.t.Helper()
	host, port, _ := net.SplitHostPort(r.Addr)
	args := append([]string{"--bind", host, "--port", port, "--dir", r.Dir, "--save", "", "--databases", "500"}, r.options...)
	var err error
	r.process, err = Launch(exec.Command(Find(r.t, "redis-server", "redis-server"), args...), "Ready to accept connections")
	require.NoError(r.t, err)
}

// Kill kills it as a crash would, and waits for the end.
func (r *Redis) Kill() {
	if r.process != nil {
		_ = r.process.Stop(syscall.SIGKILL)
		r.process = nil
	}
}

// Freeze stops it without closing anything, until Thaw.
func (r *Redis) Freeze() {
	require.NoError(r.t, r.process.Signal(syscall.SIGSTOP))
	r.frozen = true
}

// Thaw lets it go on.
func (r *Redis) Thaw() {
	require.NoError(r.t, r.process.Signal(syscall.SIGCONT))
	r.frozen = false
}

// runs tells whether it answers, neither killed nor frozen.
func (r *Redis) runs() bool { return r.process != nil && !r.frozen }

// CLI runs a command of redis-cli and returns what it says.
func (r *Redis) CLI(command ...string) string {
	r.t.Helper()
	said, err := commandLine(r.t, r.Addr, command...)
	require.NoError(r.t, err, "%s", said)
	return said
}

// commandLine is redis-cli.
func commandLine(t testing.TB, addr string, command ...string) (said string, err error) {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	out, err := exec.Command(Find(t, "redis-tools", "redis-cli"), append([]string{"-h", host, "-p", port}, command...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
