package cli_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/cli"
	"pubsub/internal/pubsubtest"
)

// health runs the word health, on a machine whose server is here, and returns what it prints.
func health(t *testing.T, here cli.Here, args ...string) (string, error) {
	var out bytes.Buffer
	err := cli.Health(t.Context(), args, func() (cli.Here, error) { return here, nil }, &out)
	return out.String(), err
}

func TestHealth(t *testing.T) {
	t.Parallel()
	over := map[string]string{"TCP": pubsubtest.Reserve(t, "127.0.0.1"), "all interfaces": ":" + port(pubsubtest.Reserve(t, "127.0.0.1")), "a socket": "unix:" + filepath.Join(t.TempDir(), "s")}
	for name, addr := range over {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here := cli.Here{Addr: addr}
			s := pubsubtest.Start(t, "PUBSUB_ADDR="+addr, "PUBSUB_DRAIN_DELAY=1h", "PUBSUB_ALLOWED_HOSTS=chat.example.org")
			said, err := health(t, here)
			require.NoError(t, err)
			require.Equal(t, "healthy\n", said)
			said, err = health(t, here, "-ready")
			require.NoError(t, err)
			require.Equal(t, "ready\n", said)

			require.NoError(t, s.Signal(syscall.SIGTERM))
			require.Eventually(t, func() bool {
				_, err = health(t, here, "-ready")
				return err != nil
			}, pubsubtest.Patience, pubsubtest.Patience/1000)
			require.ErrorContains(t, err, "it answers 503 The server is restarting.")
			_, err = health(t, here)
			require.NoError(t, err, "it serves as before")

			_ = s.Stop(syscall.SIGKILL)
			_, err = health(t, here)
			require.Error(t, err)
			require.NotErrorIs(t, err, cli.ErrUsage)
		})
	}
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func TestHealthOfASilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // and accepts nobody
	require.NoError(t, err)
	defer l.Close()
	_, err = health(t, cli.Here{Addr: l.Addr().String()}, "-timeout=10ms")
	require.ErrorContains(t, err, "it does not answer within 10ms")
}

// What stands between may answer with 200, too.
func TestHealthOfAnother(t *testing.T) {
	t.Parallel()
	body := `{"status":"healthy"}`
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	defer s.Close()
	here := cli.Here{Addr: strings.TrimPrefix(s.URL, "https://"), TLS: true}
	_, err := health(t, here)
	require.NoError(t, err, "the certificate has another name")
	_, err = health(t, here, s.URL)
	require.ErrorContains(t, err, "certificate", "elsewhere it must be right")
	for _, body = range []string{"", "<html>", "null", `{"status":"ready"}`} {
		_, err = health(t, here)
		require.ErrorContains(t, err, s.URL+": it answers, but not as a pubsub server does", body)
	}
	for _, args := range [][]string{{"chat"}, {s.URL, s.URL}, {"-no-such"}} {
		_, err = health(t, here, args...)
		require.ErrorIs(t, err, cli.ErrUsage)
	}
}
