package deploy_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"pubsub/internal/pubsubtest"
)

// patience is how long a test waits for what should come at once.
const patience = pubsubtest.Patience

var long = flag.Bool("long", false, "hold polls for 65 seconds of real time")

func TestMain(m *testing.M) {
	pubsubtest.Parallel()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pubsubtest.Remove()
		os.Exit(code)
	}))
}

// startServer starts a server that believes one proxy, under an address that stays its own also while it is
// stopped. All clients of a test share one address or few, so that the limits of an address are off where the
// settings, NAME=value, do not say otherwise. The test may run beside others.
func startServer(t *testing.T, settings ...string) *pubsubtest.Server {
	t.Helper()
	t.Parallel()
	return pubsubtest.Start(t, append([]string{
		"PUBSUB_ADDR=" + pubsubtest.Reserve(t, "127.0.0.1"),
		"PUBSUB_TRUSTED_HOPS=1", "PUBSUB_MAX_POLLS_PER_ADDRESS=0", "PUBSUB_PUBLISH_RATE=0",
	}, settings...)...)
}

// newClient is one person behind nginx, or beside it.
func newClient(t *testing.T, addr, from string) *pubsubtest.Client {
	return pubsubtest.NewClient(t, addr, from)
}

// startNginx starts nginx with the configuration of this folder. A test may change it.
func startNginx(t *testing.T, upstream string, changes ...func(conf string) string) (addr, addr6 string) {
	t.Helper()
	return pubsubtest.StartNginx(t, upstream, changes...)
}

// replace changes a line of the configuration.
func replace(t *testing.T, line, with string) func(conf string) string {
	return pubsubtest.ReplaceLine(t, line, with)
}
