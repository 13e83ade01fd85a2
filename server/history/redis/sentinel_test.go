package redis_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/history"
	"pubsub/server/history/redis"
)

// The servers and the Sentinels that watch them may each ask for a password.
func TestPasswordsOfSentinelAndServer(t *testing.T) {
	server := strings.TrimPrefix(start(t, "--requirepass", "served"), "redis://")
	addr := pubsubtest.Reserve(t, "127.0.0.1")
	_, port, _ := strings.Cut(addr, ":")
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
bind 127.0.0.1
port %s
requirepass watched
sentinel monitor chat %s 1
sentinel auth-pass chat served
`, port, strings.Replace(server, ":", " ", 1)), 0o600))
	sentinel, err := pubsubtest.Launch(exec.Command(pubsubtest.Find(t, "redis-server", "redis-server"), file, "--sentinel"), "+monitor master")
	require.NoError(t, err)
	t.Cleanup(func() { _ = sentinel.Stop(syscall.SIGKILL) })

	log, err := redis.Open("redis-sentinel://:served@"+addr+"/chat?sentinel_password=watched", history.Options{})
	require.NoError(t, err)
	defer log.Close()
	_, err = log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
	require.NoError(t, err)
	_, err = redis.Open("redis-sentinel://:served@"+addr+"/chat", history.Options{})
	require.ErrorContains(t, err, "NOAUTH")
}
