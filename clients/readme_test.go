package clients_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// example returns the n-th example in a language of a README.
func example(t *testing.T, readme, language string, n int) string {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	all := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(all), n)
	return all[n][1]
}

// shows runs an example and requires that it prints the message that it posts.
func shows(t *testing.T, cmd *exec.Cmd, printed string) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	require.Equal(t, printed+"\n", line, stderr.String())
}

// The examples run as they are, in a folder in which nothing else is.
func TestExamplesForPython(t *testing.T) {
	t.Parallel()
	for n := range 2 {
		url := pubsubtest.Start(t).URL.String()
		dir := t.TempDir()
		client, err := os.ReadFile("python/pubsub_client.py")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "pubsub_client.py"), client, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "example.py"), []byte(example(t, "python/README.md", "python", n)), 0o600))
		cmd := python3(t, "example.py", url)
		cmd.Dir = dir
		shows(t, cmd, "ann hi")
	}
}

func TestExampleForJavaScript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("js")))
	text := example(t, "js/README.md", "js", 0)
	require.LessOrEqual(t, strings.Count(text, "\n"), 10)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "example.js"), []byte(text), 0o600))
	cmd := exec.CommandContext(t.Context(), pubsubtest.Find(t, "nodejs", "node"), "example.js", pubsubtest.Start(t).URL.String())
	cmd.Dir = dir
	shows(t, cmd, "ann hi")
}

func TestExampleForGo(t *testing.T) {
	t.Parallel()
	url := pubsubtest.Start(t).URL.String()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(example(t, "go/README.md", "go", 0)), 0o600))
	source, err := filepath.Abs("..")
	require.NoError(t, err)
	steps := strings.ReplaceAll(example(t, "go/README.md", "sh", 0), "../path/to/pubsub", source)
	steps = strings.ReplaceAll(steps, "go mod tidy", "go mod tidy -e") // other modules' tests may not be at hand
	steps = strings.ReplaceAll(steps, "go run . http://127.0.0.1:8080", "go build -o example .")
	build := exec.CommandContext(t.Context(), "sh", "-ec", steps)
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	shows(t, exec.CommandContext(t.Context(), filepath.Join(dir, "example"), url), "ann hi <nil>")
}

// Parts of the client for JavaScript have tests of their own.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), pubsubtest.Find(t, "nodejs", "node"), "--test", "events.test.mjs", "pieces.test.mjs")
	cmd.Dir = "testdata"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// The client for Python has tests of its own.
func TestPython(t *testing.T) {
	t.Parallel()
	cmd := python3(t, "-W", "error", "-m", "unittest")
	cmd.Dir = "python"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "\nOK\n")
}
