package pubsubtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Sentinels are three Redis Sentinels that watch a primary and its replicas, and make a
// replica the primary when that is gone for a second. They end with the test.
type Sentinels struct {
	// Nodes are the servers: first the one that was the primary in the beginning.
	Nodes []*Redis

	t     testing.TB
	addrs []string // of the Sentinels
}

// masterSet is what Sentinels call the servers that they watch.
const masterSet = "mymaster"

// quorum is how many of the three must agree.
const quorum = 2

// StartSentinels starts a primary with so many replicas, and the Sentinels, and returns
// when they would have a successor. The options are those of each redis-server.
func StartSentinels(t testing.TB, replicas int, options ...string) *Sentinels {
	t.Helper()
	options = append([]string{"--repl-diskless-sync-delay", "0"}, options...)
	s := &Sentinels{t: t, Nodes: []*Redis{StartRedis(t, options...)}}
	follow := strings.Replace(s.Nodes[0].Addr, ":", " ", 1)
	for range replicas {
		s.Nodes = append(s.Nodes, StartRedis(t, append(slices.Clone(options), "--replicaof", follow)...))
	}
	for range 3 {
		s.watch(follow)
	}
	s.AwaitReady()
	return s
}

// AwaitReady returns when the Sentinels would have a successor.
func (s *Sentinels) AwaitReady() {
	s.t.Helper()
	s.await("the Sentinels have found each other and the replicas", func() bool {
		return !slices.ContainsFunc(s.addrs, func(addr string) bool { return !s.isReady(addr) })
	})
}

// watch starts a Sentinel. It writes what it finds out into its configuration.
func (s *Sentinels) watch(primary string) {
	dir, err := os.MkdirTemp("", "sentinel") // t.TempDir is removed before the process ends
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, os.RemoveAll(dir)) })
	addr := Reserve(s.t, "127.0.0.1")
	_, port, _ := strings.Cut(addr, ":")
	file := filepath.Join(dir, "sentinel.conf")
	require.NoError(s.t, os.WriteFile(file, fmt.Appendf(nil, `
bind 127.0.0.1
port %[1]s
dir %[2]s
sentinel monitor %[3]s %[4]s %[5]d
sentinel down-after-milliseconds %[3]s 1000
sentinel failover-timeout %[3]s 3000
`, port, dir, masterSet, primary, quorum), 0o600))
	p, err := Launch(exec.Command(Find(s.t, "redis-server", "redis-server"), file, "--sentinel"), "+monitor master")
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = p.Stop(syscall.SIGKILL) })
	s.addrs = append(s.addrs, addr)
}

// isReady tells whether a Sentinel could have a failover: it has found enough others,
// and each replica.
func (s *Sentinels) isReady(addr string) bool {
	quorum, err := ask(addr, "sentinel", "ckquorum", masterSet)
	if err != nil || !strings.HasPrefix(quorum, "OK 3 usable") {
		return false
	}
	replicas, err := ask(addr, "sentinel", "replicas", masterSet)
	return err == nil && strings.Count(replicas, "master-link-status\nok") == len(s.Nodes)-1
}

// URL is the address of the primary as a setting has it, whoever that is.
func (s *Sentinels) URL() string {
	return "redis-sentinel://" + strings.Join(s.addrs, ",") + "/" + masterSet
}

// Primary is the server that the Sentinels name.
func (s *Sentinels) Primary() *Redis {
	said, err := ask(s.addrs[0], "sentinel", "get-master-addr-by-name", masterSet)
	require.NoError(s.t, err, "%s", said)
	addr := strings.Replace(said, "\n", ":", 1)
	i := slices.IndexFunc(s.Nodes, func(r *Redis) bool { return r.Addr == addr })
	require.GreaterOrEqual(s.t, i, 0, said)
	return s.Nodes[i]
}

// KillPrimary kills the primary as a crash would, and returns it. AwaitOther waits for
// the next one.
func (s *Sentinels) KillPrimary() (was *Redis) {
	was = s.Primary()
	was.Kill()
	return was
}

// FreezePrimary stops the primary without closing anything, and returns it.
func (s *Sentinels) FreezePrimary() (was *Redis) {
	was = s.Primary()
	was.Freeze()
	return was
}

// AskPrimaryToGo has the Sentinels change the primary for a replica, and returns the one
// that was: it goes on as a replica.
func (s *Sentinels) AskPrimaryToGo() (was *Redis) {
	was = s.Primary()
	said, err := ask(s.addrs[0], "sentinel", "failover", masterSet)
	require.NoError(s.t, err, "%s", said)
	require.Equal(s.t, "OK", said)
	return was
}

// AwaitCopies returns when every replica has what the primary has now.
func (s *Sentinels) AwaitCopies() {
	s.t.Helper()
	primary := s.Primary()
	now := offsets(primary, `master_repl_offset:(\d+)`)
	s.await("the replicas", func() bool {
		has := offsets(primary, `,offset=(\d+),`)
		return len(has) == len(s.Nodes)-1 && slices.Min(has) >= slices.Max(now)
	})
}

// offsets are numbers in what a Redis says of its copies.
func offsets(r *Redis, pattern string) (all []int) {
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(r.Do("info", "replication"), -1) {
		n, _ := strconv.Atoi(found[1]) // the pattern has digits
		all = append(all, n)
	}
	return all
}

// AwaitOther returns when another server than this one is the primary, and this one knows
// it, if it runs: until then it acknowledges what it will throw away.
func (s *Sentinels) AwaitOther(was *Redis) {
	s.t.Helper()
	s.await("another primary", func() bool { return s.Primary() != was })
	s.await("the end of the old primary", func() bool {
		if !was.runs() {
			return true
		}
		role, err := ask(was.Addr, "role") // it closes its connections when it steps down
		return err == nil && strings.HasPrefix(role, "slave")
	})
}

// Unfollow lets the replicas fall behind: they are sent nothing any more, as if their
// link was cut, while the primary goes on.
func (s *Sentinels) Unfollow() {
	s.t.Helper()
	primary := s.Primary()
	primary.Do("acl", "setuser", "default", "-psync", "-sync")
	primary.Do("client", "kill", "type", "replica")
}

// await looks again and again, with pauses that leave the processor to those it waits for.
func (s *Sentinels) await(what string, is func() bool) {
	s.t.Helper()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for deadline := time.Now().Add(Patience); !is(); <-pause.C {
		require.True(s.t, time.Now().Before(deadline), "waited for %s", what)
	}
}
