package torture_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/internal/torture"
)

func TestMain(m *testing.M) {
	pubsubtest.Parallel()
	code := m.Run()
	pubsubtest.Remove()
	os.Exit(code)
}

// run runs the word with these arguments, and returns what it says in the end.
func run(t *testing.T, args ...string) (verdict string, err error) {
	t.Helper()
	return runUntil(t.Context(), t, args...)
}

// runUntil posts no more when ctx ends.
func runUntil(ctx context.Context, t *testing.T, args ...string) (verdict string, err error) {
	t.Helper()
	var stdout bytes.Buffer
	err = torture.Main(ctx, args, &stdout, io.Discard)
	t.Log(strings.Join(args, " "), "\n", stdout.String())
	return stdout.String(), err
}

// harder starts this server with the settings that -help speaks of.
func harder(t *testing.T) *pubsubtest.Server {
	return pubsubtest.Start(t, "PUBSUB_PUBLISH_RATE=0", "PUBSUB_HISTORY_MESSAGES=100000")
}

func TestThisServerIsFoundGood(t *testing.T) {
	t.Parallel()
	s := harder(t)
	const good = "Nothing was lost, doubled or reordered."
	for _, row := range []struct {
		args []string
		says string
	}{
		{[]string{"-rate=200", "-cut=0.5", s.URL.String(), "http://localhost:" + s.URL.Port() + "/"}, good},
		{[]string{"-rate=50", "-no-gaps", s.URL.String()}, good},
		// Its readers begin when their first polls have come, and that takes how long it takes.
		{[]string{"-rate=50", "-dialect=original", s.URL.String()}, "doubled or reordered."},
	} {
		t.Run(strings.Join(row.args[:2], " "), func(t *testing.T) {
			t.Parallel()
			verdict, err := run(t, append([]string{"-for=1500ms"}, row.args...)...)
			require.NoError(t, err)
			require.Contains(t, verdict, row.says)
		})
	}
}

// A server with its log in memory forgets everything when it is killed. Its readers are
// told.
// The same is true of streams, in each way and from one way to another.
func TestStreamsOfThisServerAreFoundGood(t *testing.T) {
	for _, way := range []string{"sse", "ws", "mixed"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			verdict, err := run(t, "-rate=200", "-for=2s", "-cut=0.5", "-no-gaps", "-way="+way, harder(t).URL.String())
			require.NoError(t, err, verdict)
			require.Contains(t, verdict, "Nothing was lost, doubled or reordered.")
		})
	}
}

// Tokens that are renewed in the middle of a conversation cost no message.
func TestTortureWithTokens(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef0123456789abcdef"
	s := pubsubtest.Start(t, "PUBSUB_PUBLISH_RATE=0", "PUBSUB_TOKEN_KEY="+key)
	verdict, err := run(t, "-rate=100", "-for="+pubsubtest.Size("4s", "2500ms"), "-no-gaps", "-way=mixed", "-token-key="+key, "-token-for=1s", s.URL.String())
	require.NoError(t, err, verdict)
	require.Contains(t, verdict, "Nothing was lost, doubled or reordered.")
	verdict, err = run(t, "-for=100ms", "-patience=1s", s.URL.String())
	require.ErrorIs(t, err, torture.ErrFaults)
	require.Contains(t, verdict, "401")
}

func TestThisServerIsKilledMeanwhile(t *testing.T) {
	t.Parallel()
	s := harder(t)
	stderr, w := io.Pipe()
	var stdout bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		defer w.Close()
		ended <- torture.Main(t.Context(), []string{"-rate=100", "-for=1500ms", s.URL.String()}, &stdout, w)
	}()
	lines := bufio.NewReader(stderr)
	_, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Error(t, s.Stop(syscall.SIGKILL))
	s.Restart(t)
	_, err = io.Copy(io.Discard, lines)
	require.NoError(t, err)
	assert.NoError(t, <-ended)
	require.Contains(t, stdout.String(), "Nothing was lost untold, doubled or reordered.")
	require.Contains(t, stdout.String(), "20 restarted")
}

func TestWrongUsage(t *testing.T) {
	for sentence, args := range map[string][]string{
		"Give its URL":                      nil,
		`"localhost:80" is not the URL`:     {"localhost:80"},
		`there is no dialect "french"`:      {"-dialect=french", "http://a"},
		"-rate must be":                     {"-rate=0", "http://a"},
		"so that each is read":              {"-clients=2", "-channels=3", "http://a"},
		"-cut must be":                      {"-cut=2", "http://a"},
		`there is no way "pigeon"`:          {"-way=pigeon", "http://a"},
		"there is no way \"sse\" with":      {"-way=sse", "-dialect=nchan", "http://a"},
		"-for must be":                      {"-for=0", "http://a"},
		"flag provided but not defined: -x": {"-x", "http://a"},
		"(flags stand before the URLs)":     {"http://a", "-for=1s"},
	} {
		_, err := run(t, args...)
		require.ErrorIs(t, err, torture.ErrUsage)
		require.ErrorContains(t, err, sentence)
	}
}

func TestHelpNamesTheSettings(t *testing.T) {
	help, err := run(t, "-help")
	require.NoError(t, err)
	for _, word := range []string{"-seed", "-no-gaps", "PUBSUB_PUBLISH_RATE=0", "nchan"} {
		require.Contains(t, help, word)
	}
	for line := range strings.Lines(help) {
		require.LessOrEqual(t, len(line), 81, line)
	}
}

// Whoever asks something that is no such server must not be told that all is well.
func TestNothingIsNoGoodVerdict(t *testing.T) {
	t.Parallel()
	s := pubsubtest.Start(t)
	verdict, err := run(t, "-for=100ms", "-dialect=nchan", s.URL.String()+"/nowhere")
	require.ErrorIs(t, err, torture.ErrFaults)
	require.Contains(t, verdict, "Nothing was posted and read")
	require.Contains(t, verdict, "404")
}

func TestAnEndedContextStopsThePosts(t *testing.T) {
	t.Parallel()
	s := harder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout bytes.Buffer
	require.ErrorIs(t, torture.Main(ctx, []string{"-for=1h", s.URL.String()}, &stdout, io.Discard), torture.ErrFaults)
	require.Contains(t, stdout.String(), "posted and read, so nothing is known")
}
