package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
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
	"go.uber.org/goleak"
)

var bin string // a folder of this run

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "pubsub-bin"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(bin)
		os.Exit(code)
	}))
}

// installed is the program as a buildpack installs it: in a folder on PATH.
var installed = sync.OnceValue(func() error {
	install := exec.Command("go", "install", ".")
	install.Env = append(os.Environ(), "GOBIN="+bin)
	out, err := install.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go install: %w: %s", err, out)
	}
	return nil
})

// process is the program, started by the Procfile's web line.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	port   string
	stderr *bytes.Buffer
}

func startWeb(t *testing.T, settings ...string) *process {
	t.Helper()
	stderr := new(bytes.Buffer)
	p := startWebTo(t, stderr, settings...)
	p.stderr = stderr
	return p
}

// startWebTo is startWeb with another stderr.
func startWebTo(t *testing.T, stderr io.Writer, settings ...string) *process {
	t.Helper()
	procfile, err := os.ReadFile("Procfile")
	require.NoError(t, err)
	web := regexp.MustCompile(`(?m)^web: (.*)$`).FindSubmatch(procfile)
	require.NotNil(t, web, "the Procfile has a web line")
	p, line := launch(t, "exec "+string(web[1]), stderr, append(settings, "PORT=0")...)
	address := regexp.MustCompile(`^The chat is at http://localhost:(\d+) \(on all interfaces\)\n$`).FindStringSubmatch(line)
	require.NotNil(t, address, "%q", line)
	p.port = address[1]
	return p
}

// launch starts a command of the shell that has the program on its PATH, and
// returns the line in which it says where it listens.
func launch(t *testing.T, command string, stderr io.Writer, settings ...string) (p *process, line string) {
	t.Helper()
	require.NoError(t, installed())
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections() })
	p = &process{t: t, cmd: exec.Command("sh", "-c", command)}
	p.cmd.Dir = t.TempDir() // nothing may be read from the source folder
	p.cmd.Env = append(settings, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	p.cmd.Stderr = stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	line, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "%s", stderr)
	return p, line
}

func (p *process) url(path string) string { return "http://127.0.0.1:" + p.port + path }

func (p *process) get(url string) (int, string) {
	resp, err := http.Get(url)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return resp.StatusCode, string(body)
}

// stop sends a signal and returns the exit code.
func (p *process) stop(signal os.Signal) int {
	require.NoError(p.t, p.cmd.Process.Signal(signal))
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	require.NoError(p.t, err)
	return 0
}

func TestStartsAsABuildpackStartsIt(t *testing.T) {
	p := startWeb(t)
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} { // all interfaces
		status, body := p.get("http://" + host + ":" + p.port + "/")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `id="conversation"`)
	}
	require.Zero(t, p.stop(os.Interrupt), "%s", p.stderr)
}

// Everybody who waits gets the message; on SIGTERM everybody is answered so
// that they ask again, and the process ends well.
func TestTwoThousandWait(t *testing.T) {
	const waiting = 2000
	p := startWeb(t, "PUBSUB_MAX_POLLS_PER_ADDRESS=0")
	wait := func() <-chan string {
		answers := make(chan string, waiting)
		for range waiting {
			go func() {
				resp, err := http.Get(p.url("/sub"))
				if err != nil {
					answers <- err.Error()
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				answers <- fmt.Sprint(resp.StatusCode, " ", string(body), err)
			}()
		}
		require.Eventually(t, func() bool {
			_, debug := p.get(p.url("/debug"))
			return strings.HasPrefix(debug, fmt.Sprintf("polling = %d\n", waiting))
		}, time.Minute, 50*time.Millisecond)
		return answers
	}
	answers := wait()
	resp, err := http.Post(p.url("/pub?message=hi"), "", nil)
	require.NoError(t, err)
	resp.Body.Close()
	for range waiting {
		require.Regexp(t, `^200 \{"id":1,.*"message":"hi"\}`, <-answers)
	}
	answers = wait()
	began := time.Now()
	require.Zero(t, p.stop(syscall.SIGTERM), "%s", p.stderr)
	t.Logf("%d polls ended and the process exited within %v", waiting, time.Since(began).Round(time.Millisecond))
	for range waiting {
		require.Regexp(t, `^503 \{"error":"The server is restarting`, <-answers)
	}
}

func TestSettingsAreToldToAPerson(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-help"}, nil, &out, io.Discard))
	require.Contains(t, out.String(), "-poll-timeout\n")

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-version"}, nil, &out, io.Discard))
	require.Regexp(t, `^pubsub \S+`, out.String())

	env := []string{"PORT=http", "PUBSUB_HEARTBEAT=soon"}
	err := run(t.Context(), []string{"-max-channels=many", "-history-age=-1s"}, env, &out, io.Discard)
	for _, each := range []string{`PORT="http"`, `PUBSUB_HEARTBEAT="soon"`, `-max-channels "many"`, `-history-age "-1s" must be a duration`} {
		require.ErrorContains(t, err, each, "all that is wrong is told at once")
	}
	require.ErrorContains(t, run(t.Context(), []string{"-no-such"}, nil, &out, io.Discard), "no-such")
	require.ErrorContains(t, run(t.Context(), []string{"serve"}, nil, &out, io.Discard), `"serve" is not a flag`)
}

func TestFlagWinsOverEnvironment(t *testing.T) {
	env := []string{"PORT=1", "PUBSUB_ADDR=127.0.0.1:2"}
	ctx, cancel := context.WithCancel(t.Context())
	stdout, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0"}, env, w, io.Discard)
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Regexp(t, `^The chat is at http://127\.0\.0\.1:\d{4,5}\n$`, line)
	cancel()
	require.NoError(t, <-ended)
}

// Metrics and pprof are for those who run it: with an address of their own they
// are nowhere else. Logs are JSON where asked for.
func TestAdminAddress(t *testing.T) {
	p := startWeb(t, "PUBSUB_ADMIN_ADDR=127.0.0.1:0", "PUBSUB_LOG_FORMAT=json", "PUBSUB_LOG_LEVEL=debug")
	status, _ := p.get(p.url("/metrics"))
	require.Equal(t, http.StatusNotFound, status)
	require.Zero(t, p.stop(syscall.SIGTERM))
	lines := p.stderr.String()
	require.Regexp(t, `"msg":"metrics and pprof","address":\{?"`, lines)
	require.Contains(t, lines, `"msg":"request","method":"GET","path":"/metrics"`)
	require.Contains(t, lines, `"msg":"refused","status":404,"reason":"not-found"`)
	for line := range strings.Lines(lines) {
		require.True(t, json.Valid([]byte(line)), line)
	}

	admin := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	stderr, log := io.Pipe()
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if at := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(lines.Text()); at != nil && len(admin) == 0 {
				admin <- at[1]
			}
		}
	}()
	go func() {
		ended <- run(ctx, []string{"-addr=127.0.0.1:0", "-admin-addr=127.0.0.1:0"}, nil, io.Discard, log)
		log.Close()
	}()
	at := "http://" + <-admin
	_, metrics := p.get(at + "/metrics")
	require.Contains(t, metrics, "pubsub_polls_pending 0")
	_, index := p.get(at + "/debug/pprof/")
	require.Contains(t, index, "goroutine")
	http.DefaultClient.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
}

// Whoever opens more connections than the process may open files keeps nobody out,
// neither from one address nor from several.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	for reason, addresses := range map[string][]string{
		"connections-per-address": {"127.0.0.66"},
		"connections":             {"127.0.0.66", "127.0.0.67", "127.0.0.68"},
	} {
		t.Run(reason, func(t *testing.T) {
			stderr := new(bytes.Buffer)
			p, line := launch(t, "ulimit -n 1024; exec pubsub", stderr, "PUBSUB_ADDR=127.0.0.1:0")
			at := strings.TrimPrefix(strings.TrimSpace(line), "The chat is at http://")
			for i := range 1100 {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addresses[i%len(addresses)])}}
				c, err := d.Dial("tcp", at)
				require.NoError(t, err)
				defer c.Close()
			}
			newcomer := &http.Client{Timeout: time.Second}
			defer newcomer.CloseIdleConnections()
			resp, err := newcomer.Get("http://" + at + "/healthz")
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Zero(t, p.stop(syscall.SIGTERM))
			require.Contains(t, stderr.String(), " reason="+reason+" address=127.0.0.66:")
			require.NotContains(t, stderr.String(), "could not be taken")
		})
	}
}
