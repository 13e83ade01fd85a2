package pubsubtest_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/pubsubtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pubsubtest.Remove()
		os.Exit(code)
	}))
}

func TestServerIsItselfAfterARestart(t *testing.T) {
	s := pubsubtest.Start(t, "PUBSUB_HISTORY_MESSAGES=3")
	at := s.Addr()
	require.NoError(t, s.Stop(syscall.SIGTERM))
	require.NoError(t, s.Stop(syscall.SIGKILL), "only the first stop counts")
	require.Contains(t, s.Log(), "draining")
	port, err := net.ResolveTCPAddr("tcp", at)
	require.NoError(t, err)
	_, err = (&net.Dialer{LocalAddr: port}).Dial("tcp", "127.0.0.1:1")
	require.ErrorIs(t, err, syscall.EADDRINUSE, "nobody else has its port meanwhile")

	s.Restart(t)
	require.Equal(t, at, s.Addr())
	require.NotContains(t, s.Log(), "draining")
	for range 4 {
		s.Post(t, "/pub", pubsubtest.Form("message", "hi"))
	}
	person := pubsubtest.NewClient(t, s.Addr(), "127.0.0.9")
	page, ok := person.Page("/sub?since=all&timeout=0")
	require.True(t, ok)
	require.Len(t, page.Messages, 3, "the settings are still there")
	require.Equal(t, int64(1), person.Dials())
}

func TestServerThatDoesNotStart(t *testing.T) {
	_, err := pubsubtest.Command{Settings: []string{"PUBSUB_HEARTBEAT=soon"}}.Launch()
	require.ErrorContains(t, err, "ended before it was ready")
	require.ErrorContains(t, err, `PUBSUB_HEARTBEAT="soon"`, "it says what the program wrote")

	_, err = pubsubtest.Launch(exec.Command("true"), "ready")
	require.ErrorContains(t, err, "true ended before it was ready (<nil>)")
}

func TestBadEndIsTold(t *testing.T) {
	p, err := pubsubtest.Launch(exec.Command("sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"), "ready")
	require.NoError(t, err)
	require.ErrorContains(t, p.Stop(syscall.SIGTERM), "exit status 3")
}

// The environment of whoever runs the tests sets nothing.
func TestEnvironmentIsLeftOut(t *testing.T) {
	t.Setenv("PUBSUB_LIST_CHANNELS", "false")
	t.Setenv("PORT", "1")
	require.Equal(t, http.StatusOK, pubsubtest.Start(t).Get(t, "/channels").Status)
}

func TestReservedAddress(t *testing.T) {
	at := pubsubtest.Reserve(t, "127.0.0.1")
	s := pubsubtest.Start(t, "PUBSUB_ADDR="+at)
	require.Equal(t, at, s.Addr())
}

func TestSiteIsTheURLOfAServer(t *testing.T) {
	for _, not := range []string{"", "127.0.0.1:80", "ftp://127.0.0.1", "http://"} {
		_, err := pubsubtest.At(not)
		require.Error(t, err, not)
	}
	s, err := pubsubtest.At("https://example.org")
	require.NoError(t, err)
	require.Equal(t, "example.org:https", s.Addr())
}
