package target_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/bench/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAServerThatRuns(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	got, err := target.Start(t.Context(), target.Spec{URL: server.URL, PID: os.Getpid()})
	require.NoError(t, err)
	defer got.Stop()
	require.Equal(t, server.Listener.Addr().String(), got.Addr.String())
	require.True(t, got.Measured())
	require.Positive(t, got.CPU())
	require.Greater(t, got.Memory(), int64(1<<20))
	require.Greater(t, got.Files(), 3)
	require.True(t, got.Alive())
}

func TestAServerElsewhereHasNoNumbers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	got, err := target.Start(t.Context(), target.Spec{URL: server.URL})
	require.NoError(t, err)
	require.False(t, got.Measured())
	require.Zero(t, got.CPU())
}

func TestErrorsTellWhatToDo(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	gone := server.URL
	server.Close()
	for want, spec := range map[string]target.Spec{
		"is the server running":              {URL: gone},
		"write http://HOST:PORT":             {URL: "localhost:8080"},
		"without https or a path":            {URL: "http://localhost:8080/chat"},
		"ended before it listened: it wrote": {Command: "echo no such option >&2; exit 2"},
	} {
		_, err := target.Start(t.Context(), spec)
		require.ErrorContains(t, err, want)
	}
}

// TestListen is the child of the next test: it listens until it is stopped.
func TestListen(t *testing.T) {
	addr := os.Getenv("BENCH_LISTEN")
	if addr == "" {
		t.Skip("is run by another test")
	}
	t.Fatal(http.ListenAndServe(addr, http.NotFoundHandler()))
}

func TestACommandIsStoppedWithItsChildren(t *testing.T) {
	var folder string
	got, err := target.Start(t.Context(), target.Spec{
		Command: "BENCH_LISTEN=127.0.0.1:{port} " + os.Args[0] + " -test.run=TestListen & wait",
		Prepare: func(dir string, _ int) error { folder = dir; return nil },
	})
	require.NoError(t, err)
	require.True(t, got.Alive())
	require.DirExists(t, folder)
	got.Stop()
	require.False(t, got.Alive())
	require.NoDirExists(t, folder)
	_, err = net.Dial("tcp", got.Addr.String())
	require.Error(t, err, "the child is gone too")
}
