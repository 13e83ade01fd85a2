package deploy_test

import (
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

var chaosFor = flag.Duration("chaos.for", 0, "how long instances and Redises are replaced, in place of twice and once")

// instances are several programs that share a Redis, behind nginx. The Redis is a primary
// with a replica, watched by Sentinels.
type instances struct {
	sentinels *pubsubtest.Sentinels
	all       []*pubsubtest.Server
	addr      string // of nginx
}

func startInstances(t *testing.T) *instances {
	t.Helper()
	s := &instances{sentinels: pubsubtest.StartSentinels(t, 1)}
	for range 3 {
		s.all = append(s.all, pubsubtest.Start(t,
			"PUBSUB_ADDR="+pubsubtest.Reserve(t, "127.0.0.1"), "PUBSUB_HISTORY="+s.sentinels.URL(), "PUBSUB_HISTORY_MESSAGES=1000000", "PUBSUB_HISTORY_BYTES=0",
			"PUBSUB_TRUSTED_HOPS=1", "PUBSUB_MAX_POLLS_PER_ADDRESS=0", "PUBSUB_PUBLISH_RATE=0", "PUBSUB_READ_RATE=0"))
	}
	s.addr, _ = startNginx(t, "127.0.0.1:8080", s.upstreams(t)) // which compose.sed takes out
	return s
}

// upstreams has nginx pass requests to the instances, by the lines that the configuration
// has in a comment. compose.sed puts them into force.
func (s *instances) upstreams(t *testing.T) func(conf string) string {
	return func(conf string) string {
		sed := exec.Command("sed", "-f", "compose.sed")
		sed.Stdin = strings.NewReader(conf)
		out, err := sed.Output()
		require.NoError(t, err)
		conf = string(out)
		for i, each := range s.all {
			conf = replace(t, fmt.Sprintf("server pubsub-%d:8080 ", i+1), "server "+each.Addr()+" ")(conf)
		}
		require.NotContains(t, conf, "127.0.0.1:8080;")
		return replace(t, "hash $connection ", "hash $connection ")(conf)
	}
}

// deploy replaces each instance, one after another.
func (s *instances) deploy(t *testing.T) {
	for _, each := range s.all {
		require.NoError(t, each.Stop(syscall.SIGTERM))
		each.Restart(t)
	}
}

// Three instances answer for one address, and are replaced one after another; so is their
// Redis. A client need not know.
func TestSeveralInstances(t *testing.T) {
	t.Parallel()
	s := startInstances(t)
	room := newRoom(t, s.addr)
	readers := append(room.readers(), room.streams()...)
	defer room.stop()

	room.await(50)
	for _, r := range readers {
		r.awaitAll(t)
		require.Zero(t, r.missed(), r.name)
	}
	t.Log("readers of every kind, from any instance, have had all")

	began := time.Now()
	rolls := pubsubtest.Size(2, 1)
	for range rolls {
		s.deploy(t)
	}
	t.Logf("%d instances were replaced in %v; %d posts were refused meanwhile and repeated, the longest wait was %v",
		rolls*len(s.all), time.Since(began).Round(time.Millisecond), room.refused.Swap(0), room.slowest())
	for _, r := range readers {
		r.awaitAll(t)
		require.Zero(t, r.restarts.Load(), "%s was told of a gap", r.name)
	}

	s.failOver(t, room, "killed", (*pubsubtest.Sentinels).KillPrimary)
	s.chaos(t, room)
	room.finish()
	for _, r := range readers {
		r.check(t, room)
	}
}

// failOver ends a primary and waits until posts are taken again.
func (s *instances) failOver(t *testing.T, room *room, how string, end func(*pubsubtest.Sentinels) *pubsubtest.Redis) (was *pubsubtest.Redis) {
	room.slowest()
	s.sentinels.AwaitCopies()
	t.Logf("%s at %s", how, time.Now().Format(time.TimeOnly+".000"))
	was = end(s.sentinels)
	s.sentinels.AwaitOther(was)
	room.await(50)
	t.Logf("%s: %d posts were refused and repeated, the longest wait was %v", how, room.refused.Swap(0), room.slowest())
	return was
}

// chaos goes on with all that, as long as the flag says.
func (s *instances) chaos(t *testing.T, room *room) {
	if *chaosFor == 0 {
		return
	}
	s.sentinels.Nodes[0].Restart() // was killed
	for end := time.Now().Add(*chaosFor); time.Now().Before(end); {
		s.sentinels.AwaitReady()
		s.failOver(t, room, "killed", (*pubsubtest.Sentinels).KillPrimary).Restart()
		s.deploy(t)
		s.sentinels.AwaitReady()
		s.failOver(t, room, "frozen", (*pubsubtest.Sentinels).FreezePrimary).Thaw()
		s.deploy(t)
		s.sentinels.AwaitReady()
		s.failOver(t, room, "asked to go", (*pubsubtest.Sentinels).AskPrimaryToGo)
	}
}
