package browser_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var address = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)`)

// binary is the server, built once for all tests by TestMain.
var binary string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pubsub-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "pubsub")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the server does not build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// server is a pubsub process that can be stopped and started again under the same address.
type server struct {
	t       *testing.T
	URL     string
	addr    string
	env     []string
	process *exec.Cmd
	log     lockedBuffer
}

// startServer starts a server with its default settings, but for the publish rate of the one address that
// all browsers of a test share, and for those given as NAME=value. Since each
// test has a server and browsers of its own, and mostly waits for them, it may run beside others.
func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	t.Parallel()
	s := &server{t: t, addr: "127.0.0.1:0", env: append(os.Environ(), "PUBSUB_PUBLISH_RATE=0")}
	s.env = append(s.env, settings...)
	t.Cleanup(func() {
		if s.process != nil {
			s.stop()
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log.String())
		}
	})
	s.start()
	return s
}

// start returns once the server has said where it listens.
func (s *server) start() {
	s.t.Helper()
	s.process = exec.Command(binary)
	s.process.Env = append(s.env, "PUBSUB_ADDR="+s.addr)
	s.process.Stderr = &s.log
	stdout, err := s.process.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.process.Start())

	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			fmt.Fprintln(&s.log, lines.Text())
			if m := address.FindStringSubmatch(lines.Text()); m != nil && len(found) == 0 {
				found <- m[1]
			}
		}
	}()
	select {
	case s.addr = <-found:
		s.URL = "http://" + s.addr
	case <-time.After(patience):
		s.t.Fatalf("the server did not say where it listens:\n%s", s.log.String())
	}
}

// stop asks the server to end, and expects it to do so by itself, well.
func (s *server) stop() {
	process := s.process
	s.process = nil
	s.t.Helper()
	process.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			s.t.Errorf("the server, asked to end: %v", err)
		}
	case <-time.After(patience):
		process.Process.Kill()
		<-ended
		s.t.Error("the server did not end within ", patience)
	}
}

// publish posts a message to a channel as another program would.
func (s *server) publish(channel, nick, message string) {
	s.t.Helper()
	status, body := s.post("/pub/"+channel, map[string]any{"nick": nick, "message": message})
	require.Equal(s.t, http.StatusOK, status, body)
}

// post posts JSON to a path.
func (s *server) post(path string, message any) (int, string) {
	s.t.Helper()
	data, err := json.Marshal(message)
	require.NoError(s.t, err)
	resp, err := http.Post(s.URL+path, "application/json", bytes.NewReader(data))
	require.NoError(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, string(body)
}

// said is all messages of a channel.
func (s *server) said(channel string) (messages []string) {
	s.t.Helper()
	resp, err := http.Get(s.URL + "/sub/" + channel + "?since=all&timeout=0")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	var page struct{ Messages []struct{ Message string } }
	require.NoError(s.t, json.NewDecoder(resp.Body).Decode(&page))
	for _, m := range page.Messages {
		messages = append(messages, m.Message)
	}
	return messages
}

// polling is the first line of /debug: how many polls wait at this moment.
func (s *server) polling() string {
	s.t.Helper()
	resp, err := http.Get(s.URL + "/debug")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	line, _, _ := strings.Cut(string(body), "\n")
	return line
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
