package deploy_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/pubsubtest"
)

// patience is how long a test waits for what should come at once.
const patience = pubsubtest.Patience

var long = flag.Bool("long", false, "hold polls for 65 seconds of real time")

func TestMain(m *testing.M) {
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

// startNginx starts nginx with the configuration of this folder. Only what ties it to one machine is
// another: addresses, files and the user. A test may change more.
func startNginx(t *testing.T, upstream string, changes ...func(conf string) string) (addr, addr6 string) {
	t.Helper()
	text, err := os.ReadFile("nginx.conf")
	require.NoError(t, err)
	dir := t.TempDir()
	addr, addr6 = pubsubtest.Reserve(t, "127.0.0.1"), pubsubtest.Reserve(t, "::1")
	listen6 := ""
	if addr6 != "" {
		listen6 = "listen " + addr6 + ";"
	}
	conf := string(text)
	for _, change := range append([]func(string) string{
		replace(t, "user www-data;", user()),
		replace(t, "pid /run/nginx.pid;", "pid nginx.pid; daemon off;"),
		replace(t, "error_log /var/log/nginx/error.log;", "error_log stderr notice;"),
		replace(t, "http {", "http {"+tempPaths),
		replace(t, "server 127.0.0.1:8080;", "server "+upstream+";"),
		replace(t, "listen 80;", "listen "+addr+";"),
		replace(t, "listen [::]:80;", listen6),
	}, changes...) {
		conf = change(conf)
	}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o644))
	nginx := pubsubtest.Find(t, "nginx", "nginx")
	pubsubtest.Run(t, exec.Command(nginx, "-p", dir, "-c", file, "-e", "stderr"), "start worker process ")
	return addr, addr6
}

const tempPaths = `
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
`

// user is root's setting alone: workers must get at a folder that is only ours.
func user() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// replace changes a line of the configuration. It fails where that is not there once: the configuration has
// moved on without the tests.
func replace(t *testing.T, line, with string) func(conf string) string {
	return func(conf string) string {
		t.Helper()
		of := regexp.MustCompile(`(?m)^( *)` + regexp.QuoteMeta(line))
		require.Len(t, of.FindAllString(conf, -1), 1, "%q in nginx.conf", line)
		return of.ReplaceAllLiteralString(conf, with)
	}
}
