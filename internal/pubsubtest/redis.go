package pubsubtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Redis is a redis-server with a folder of its own. It ends with the test.
type Redis struct {
	Addr string // host:port; stays over Restart
	Dir  string

	t       testing.TB
	options []string
	env     []string // beside that of this process
	process *Process
	frozen  bool
}

// StartRedis starts one on a free port. It keeps nothing on the disk unless the options
// say so, which are those of redis-server.
func StartRedis(t testing.TB, options ...string) *Redis {
	t.Helper()
	return StartRedisIn(t, nil, options...)
}

// StartRedisIn is StartRedis with variables of the environment.
func StartRedisIn(t testing.TB, env []string, options ...string) *Redis {
	t.Helper()
	r := &Redis{Addr: Reserve(t, "127.0.0.1"), t: t, options: options, env: env}
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
	cmd := exec.Command(Find(r.t, "redis-server", "redis-server"), args...)
	cmd.Env = append(os.Environ(), r.env...)
	r.process, err = Launch(cmd, "Ready to accept connections")
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

// Do runs a command and returns the reply as text: the elements of a list are lines.
func (r *Redis) Do(command ...string) string {
	r.t.Helper()
	said, err := ask(r.Addr, command...)
	require.NoError(r.t, err)
	return said
}

// ask sends one command to a Redis or a Sentinel, on a connection of its own.
func ask(addr string, command ...string) (said string, err error) {
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(Patience))
	fmt.Fprintf(c, "*%d\r\n", len(command))
	for _, word := range command {
		fmt.Fprintf(c, "$%d\r\n%s\r\n", len(word), word)
	}
	return readReply(bufio.NewReader(c))
}

// readReply reads a reply in RESP, the protocol of Redis.
func readReply(r *bufio.Reader) (said string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	n, _ := strconv.Atoi(rest)
	switch kind {
	case '-':
		return "", errors.New(rest)
	case '$':
		text := make([]byte, max(n, 0)+2) // with its line end; -1 is nothing, and has none
		if n >= 0 {
			_, err = io.ReadFull(r, text)
		}
		return string(text[:len(text)-2]), err
	case '*':
		lines := make([]string, max(n, 0))
		for i := range lines {
			if lines[i], err = readReply(r); err != nil {
				return "", err
			}
		}
		return strings.Join(lines, "\n"), nil
	}
	return rest, nil
}
