package main

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench runs the program and returns what it printed.
func bench(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr strings.Builder
	err := run(t.Context(), args, &stdout, &stderr)
	t.Log(stderr.String())
	return stdout.String(), err
}

// floor builds the floor and returns the command that starts it.
func floor(t *testing.T) string {
	t.Helper()
	return "exec " + build(t, ".", "./floor") + " -addr 127.0.0.1:{port}"
}

// build builds a program in the folder of its module and returns its path.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", binary, pkg)
	build.Dir = dir
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return binary
}

func TestEveryScenarioOnTheFloor(t *testing.T) {
	t.Parallel()
	command := floor(t)
	for name, args := range map[string][]string{
		"stream": {"-dialect", "sse", "-polls", "50", "-rate", "100", "-duration", "200ms", "-warmup", "100ms", "-quiet", "10ms"},
		"fanout": {"-polls", "50", "-messages", "3"},
		"flood":  {"-polls", "5", "-rate", "200", "-duration", "200ms", "-warmup", "100ms", "-publishers", "3"},
		"churn":  {"-polls", "10", "-hangups", "50", "-rate", "2000"},
		"idle":   {"-polls", "50"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := bench(t, append([]string{"run", "-scenario", name, "-command", command}, args...)...)
			require.NoError(t, err)
			require.NotContains(t, out, "a poll was answered with")
			switch name {
			case "fanout":
				require.Contains(t, out, "150 delivered, 0 lost, 0 doubled, 0 out of order, 0 refused")
			case "stream":
				require.Contains(t, out, "1000 delivered, 0 lost, 0 doubled, 0 out of order, 0 refused")
				require.Contains(t, out, "memory a stream")
			case "flood":
				require.Contains(t, out, "200 delivered, 0 lost, 0 doubled, 0 out of order, 0 refused")
			default:
				require.Regexp(t, `connections kept after +0\n`, out)
			}
		})
	}
}

func TestCrowdOnTheFloor(t *testing.T) {
	t.Parallel()
	out, err := bench(t, "crowd", "-polls", "100", "-after", "1s", "-command", floor(t))
	require.NoError(t, err)
	require.Contains(t, out, "100 polls wait")
	require.Contains(t, out, "all have the message")
	require.Contains(t, out, "every connection is given back")
}

// pubsub returns the command that starts the server: the program that make test has built,
// or one that is built now.
func pubsub(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(os.Getenv("PUBSUBTEST_BIN"), "pubsub")
	if !filepath.IsAbs(binary) {
		binary = build(t, "..", ".")
	}
	return "PUBSUB_ADDR=127.0.0.1:{port} exec " + binary
}

func TestWebSocketsOnTheServer(t *testing.T) {
	t.Parallel()
	out, err := bench(t, "run", "-scenario", "stream", "-dialect", "ws", "-command", "PUBSUB_PUBLISH_RATE=0 "+pubsub(t),
		"-polls", "30", "-deaf", "3", "-rate", "100", "-duration", "200ms", "-warmup", "100ms", "-quiet", "10ms")
	require.NoError(t, err)
	require.Contains(t, out, "30 WebSockets of which 10 never read")
	require.Contains(t, out, "400 delivered, 0 lost, 0 doubled, 0 out of order, 0 refused")
}

func TestWays(t *testing.T) {
	t.Parallel()
	chart := filepath.Join(t.TempDir(), "ways.svg")
	out, err := bench(t, "ways", "-command", "PUBSUB_PUBLISH_RATE=0 "+pubsub(t), "-every", "300ms,100ms",
		"-clients", "5", "-messages", "1200", "-duration", "500ms", "-quiet", "10ms", "-svg", chart)
	require.NoError(t, err)
	for _, name := range []string{"poll each 300ms", "poll each 100ms", "long poll", "SSE", "WebSocket"} {
		require.Regexp(t, `(?m)^\| `+name+` \|.* \| 0 \|$`, out, "nothing is lost")
	}
	svg, err := os.ReadFile(chart)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(svg, new(any)), "it is XML")
	require.Contains(t, string(svg), "WebSocket")
}

// What the attacks find is for a machine that does nothing else. This is that
// they can be done, with marks that any machine holds.
func TestAttackOnTheServer(t *testing.T) {
	t.Parallel()
	out, err := bench(t, "attack", "-attack", "none,history", "-command", pubsub(t), "-clients", "20",
		"-before", "1s", "-for", "2s", "-after", "0s", "-max-memory", "2000", "-max-kept", "2000", "-max-health", "10s", "-max-ratio", "1000")
	require.NoError(t, err)
	require.Contains(t, out, "| attack | memory before, peak, after |")
	require.Regexp(t, `\| history \|.*\| 0, 0 \|.*200 ×\d+.* MB of messages were taken \|`, out)
}

func TestAttackTellsWhichMarkIsMissed(t *testing.T) {
	t.Parallel()
	out, err := bench(t, "attack", "-attack", "none", "-command", pubsub(t), "-clients", "5",
		"-before", "300ms", "-for", "300ms", "-after", "0s", "-max-memory", "1", "-max-kept", "2000", "-max-health", "10s", "-max-ratio", "1000")
	require.ErrorContains(t, err, "none: memory above 1 MB")
	require.Contains(t, out, "| memory above 1 MB")
}

func TestCompare(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.html")
	out, err := bench(t, "compare", "-targets", "floor,floor-loop,golongpoll", "-rounds", "1", "-work", "fanout:1000,plain-flood:50,idle:20,stream-sse:20,flood-ws:20",
		"-duration", "100ms", "-quiet", "10ms", "-html", page)
	require.NoError(t, err)
	require.Contains(t, out, "| scenario | | floor | floor-loop | golongpoll |")
	require.Contains(t, out, "fanout, 1,000 polls")
	require.NotRegexp(t, `fanout, 1,000 polls \| CPU a delivery[^\n]*–`, out, "each target polls")
	require.Contains(t, out, "memory a poll")
	require.Contains(t, out, "stream, 20 SSE streams, 20 messages/s")
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "<svg")
}

func TestMistakesAreExplained(t *testing.T) {
	for want, args := range map[string]string{
		"name a command":                       "",
		"write 'NAME DIALECT URL'":             "compare -also nchan",
		"whole number after the colon":         "compare -work fanout:many",
		`there is no scenario "bounce"`:        "compare -work bounce",
		`there is no way "smoke"`:              "compare -work stream-smoke:10",
		"write 5s,1s":                          "ways -every never",
		`there is no target "kafka"`:           "compare -targets kafka",
		"-rounds must be above 0":              "compare -rounds 0",
		"name the server with -url":            "run",
		`there is no dialect "smtp"`:           "run -url http://127.0.0.1:1 -dialect smtp",
		"is not a flag":                        "run fanout",
		"polls, rate, publishers and hang-ups": "run -url http://127.0.0.1:1 -polls 0",
		"-polls must be above 0":               "crowd -url http://127.0.0.1:1 -polls -1",
		"name with -command":                   "attack -command ./pubsub",
		`there is no attack "nuke"`:            "attack -attack nuke -command {port}",
		"-clients and -requests must be":       "attack -command {port} -clients 0",
	} {
		_, err := bench(t, strings.Fields(args)...)
		require.ErrorContains(t, err, want, args)
	}
}

func TestHelp(t *testing.T) {
	out, err := bench(t, "-help")
	require.NoError(t, err)
	require.Contains(t, out, "bench compare")
}
