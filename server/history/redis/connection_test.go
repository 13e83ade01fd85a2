package redis_test

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/history"
	"pubsub/server/history/redis"
)

// A name, such as that of a Kubernetes Service, leads to another primary after a failover,
// while the connections to the old one stay open. Posts find the new one.
func TestNameThatLeadsToAnotherPrimary(t *testing.T) {
	t.Parallel()
	old, renewed := pubsubtest.StartRedis(t), pubsubtest.StartRedis(t)
	leadsTo := new(atomic.Pointer[string])
	leadsTo.Store(&old.Addr)
	name := pubsubtest.Proxy(t, old.Addr, func(near, _ net.Conn) {
		far, err := net.Dial("tcp", *leadsTo.Load())
		if err != nil {
			return
		}
		defer far.Close()
		go func() {
			_, _ = io.Copy(far, near)
			far.Close()
		}()
		_, _ = io.Copy(near, far)
	})
	log, err := redis.Open("redis://"+name, history.Options{})
	require.NoError(t, err)
	defer log.Close()
	say(t, log, "chat")
	host, port, _ := strings.Cut(renewed.Addr, ":")
	old.Do("replicaof", host, port)
	leadsTo.Store(&renewed.Addr)
	require.Eventually(t, func() bool {
		_, err := log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
		return err == nil
	}, pubsubtest.Patience, 10*time.Millisecond)
}

// What would make every post fail is told at the start, with what to do about it.
func TestRedisThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	_, nodes, _ := strings.Cut(pubsubtest.Reserve(t, "127.0.0.1"), ":") // else 10,000 above its own, which may be taken
	cluster := pubsubtest.StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", nodes)
	cluster.Do("cluster", "addslotsrange", "0", "16383")
	_, err := redis.Open(cluster.URL(), history.Options{})
	require.ErrorContains(t, err, "it is a cluster")

	plain := pubsubtest.StartRedis(t)
	_, err = redis.Open("rediss://"+plain.Addr, history.Options{})
	require.ErrorContains(t, err, "write redis:// in place of rediss://")

	cert, key := certificate(t)
	secret := pubsubtest.Reserve(t, "127.0.0.1")
	_, port, _ := strings.Cut(secret, ":")
	start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	_, err = redis.Open("redis://"+secret, history.Options{})
	require.ErrorContains(t, err, "write rediss:// in place of redis://")

	plain.Do("acl", "setuser", "chat", "on", ">secret", "~*", "&*", "+@all", "-info")
	_, err = redis.Open("redis://chat:secret@"+plain.Addr, history.Options{})
	require.ErrorContains(t, err, "may not run the command info")
	plain.Do("acl", "setuser", "chat", "+info", "-expire")
	_, err = redis.Open("redis://chat:secret@"+plain.Addr, history.Options{})
	require.ErrorContains(t, err, "may not run the command expire", "of a script")
	require.NotContains(t, err.Error(), "secret")
	plain.Do("acl", "setuser", "chat", "+expire", "resetkeys", "~other:*")
	_, err = redis.Open("redis://chat:secret@"+plain.Addr, history.Options{})
	require.ErrorContains(t, err, "All keys begin with pubsub:")
}
