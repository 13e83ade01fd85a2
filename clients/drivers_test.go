package clients_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/pubsubtest"
)

func TestMain(m *testing.M) {
	pubsubtest.Parallel()
	if _, err := pubsubtest.Build(pubsubtest.RaceFlag()...); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pubsubtest.Remove()
		os.Exit(code)
	}))
}

// driver is a client as a command. To add a client, add it here.
type driver struct {
	name string
	ways []string
	// read reads channels from a place, and prints each message as a line of JSON, and
	// {"gap": {"reason": …, "channel": …}} for a gap.
	read func(t *testing.T, url, way, since string, channels ...string) *exec.Cmd
	// post posts each line of its standard input.
	post func(t *testing.T, url, channel string) *exec.Cmd
}

var drivers = []driver{
	{
		name: "go",
		ways: []string{"sse", "poll", "ws"},
		read: func(t *testing.T, url, way, since string, channels ...string) *exec.Cmd {
			return program(t, append([]string{"tail", "-json", "-since=" + since, "-way=" + way, url}, channels...)...)
		},
		post: func(t *testing.T, url, channel string) *exec.Cmd { return program(t, "post", url, channel) },
	},
	python("python", "follow", "publish"),
	python("asyncio", "afollow", "apublish"),
	javaScript,
}

// javaScript runs in node here. The folder browser has it in a browser, with WebSockets,
// which not every node has.
var javaScript = driver{
	name: "js",
	ways: []string{"sse", "poll"},
	read: func(t *testing.T, url, way, since string, channels ...string) *exec.Cmd {
		return node(t, append([]string{"follow", url, way, since}, channels...)...)
	},
	post: func(t *testing.T, url, channel string) *exec.Cmd {
		return node(t, "publish", url, "poll", "now", channel)
	},
}

func node(t *testing.T, args ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), pubsubtest.Find(t, "nodejs", "node"), append([]string{"testdata/drive.mjs"}, args...)...)
}

// program is our program with these arguments.
func program(t *testing.T, args ...string) *exec.Cmd {
	dir, err := pubsubtest.Build()
	require.NoError(t, err)
	return exec.CommandContext(t.Context(), filepath.Join(dir, "pubsub"), args...)
}

// python3 is Python with these arguments. go test answers from its cache until a file has
// changed that the tests themselves looked at, so they look at what Python will.
func python3(t *testing.T, args ...string) *exec.Cmd {
	for _, file := range []string{"python/pubsub_client.py", "python/test_pubsub_client.py", "testdata/drive.py"} {
		_, err := os.ReadFile(file)
		require.NoError(t, err)
	}
	return exec.CommandContext(t.Context(), pubsubtest.Find(t, "python3", "python3"), append([]string{"-B"}, args...)...)
}

func python(name, read, post string) driver {
	drive := func(t *testing.T, args ...string) *exec.Cmd {
		return python3(t, append([]string{"testdata/drive.py"}, args...)...)
	}
	return driver{
		name: name,
		ways: []string{"sse", "poll"},
		read: func(t *testing.T, url, way, since string, channels ...string) *exec.Cmd {
			return drive(t, append([]string{read, url, way, since}, channels...)...)
		},
		post: func(t *testing.T, url, channel string) *exec.Cmd { return drive(t, post, url, "poll", "now", channel) },
	}
}

// printed is a line of a driver.
type printed struct {
	ID      uint64
	Channel string
	Message string
	Cursor  string
	Gap     *struct {
		Reason, Channel string
		Missed          uint64
	}
}

// reader is a driver that reads.
type reader struct {
	name  string
	lines chan printed // closed when it has ended
	t     *testing.T
}

// start starts each driver in each of its ways.
func start(t *testing.T, url, since string, channels ...string) (all []*reader) {
	for _, d := range drivers {
		for _, way := range d.ways {
			all = append(all, startOne(t, d.name+" "+way, d.read(t, url, way, since, channels...)))
		}
	}
	return all
}

func startOne(t *testing.T, name string, cmd *exec.Cmd) *reader {
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	r := &reader{name, make(chan printed, 10_000), t}
	ended := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, &stderr)
		}
	})
	go func() {
		defer close(ended)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			var line printed
			if assert.NoError(t, json.Unmarshal(in.Bytes(), &line), "%s printed %s", name, in.Text()) {
				r.lines <- line
			}
		}
		close(r.lines)
		_ = cmd.Wait() // it was killed
	}()
	return r
}

// next is the next line that the driver prints.
func (r *reader) next() printed {
	select {
	case line, more := <-r.lines:
		require.True(r.t, more, "%s has ended", r.name)
		return line
	case <-time.After(3 * pubsubtest.Patience): // a client that found nobody a few times waits half a minute
		require.Fail(r.t, "nothing comes", "from %s", r.name)
	}
	return printed{}
}

// run lets a command end, and feeds it these lines.
func run(t *testing.T, cmd *exec.Cmd, lines []string) {
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%v: %s", cmd, out)
}
