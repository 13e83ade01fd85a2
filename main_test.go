package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/pubsubtest"
	"pubsub/server/settings"
	"pubsub/server/version"
)

func TestMain(m *testing.M) {
	pubsubtest.Parallel()
	pubsubtest.ShortSize("folder.kills=2")
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		pubsubtest.Remove()
		os.Exit(code)
	}))
}

// web is the Procfile's web line on a free port, with these settings.
func web(t *testing.T, settings ...string) pubsubtest.Command {
	t.Helper()
	procfile, err := os.ReadFile("Procfile")
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^web: (.*)$`).FindSubmatch(procfile)
	require.NotNil(t, line, "the Procfile has a web line")
	return pubsubtest.Command{Shell: "exec " + string(line[1]), Settings: append(settings, "PORT=0")}
}

// startWeb starts the program as a buildpack does.
func startWeb(t *testing.T, settings ...string) *pubsubtest.Server {
	t.Helper()
	return web(t, settings...).Start(t)
}

// get returns what is at a URL.
func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

func TestStartsAsABuildpackStartsIt(t *testing.T) {
	p := startWeb(t)
	require.Regexp(t, `^The chat is at http://localhost:\d+ \(on all interfaces\)$`, p.Line)
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		everywhere, err := pubsubtest.At("http://" + host + ":" + p.URL.Port())
		require.NoError(t, err)
		page := everywhere.Get(t, "/")
		everywhere.CloseIdle()
		require.Equal(t, http.StatusOK, page.Status)
		require.Contains(t, page.Body, `id="conversation"`)
	}
	require.NoError(t, p.Stop(os.Interrupt))
}

// Everybody who waits gets the message; on SIGTERM everybody is answered so
// that they ask again, and the process ends well.
func TestTwoThousandWait(t *testing.T) {
	waiting := pubsubtest.Size(2000, 500)
	p := startWeb(t, "PUBSUB_MAX_POLLS_PER_ADDRESS=0")
	wait := func() <-chan string {
		answers := make(chan string, waiting)
		for range waiting {
			go func() {
				resp, err := http.Get(p.URL.JoinPath("sub").String())
				if err != nil {
					answers <- err.Error()
					return
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				answers <- fmt.Sprint(resp.StatusCode, " ", string(body), err)
			}()
		}
		p.AwaitPolling(t, waiting)
		return answers
	}
	answers := wait()
	p.Post(t, "/pub?message=hi", pubsubtest.Body{})
	for range waiting {
		require.Regexp(t, `^200 \{"id":1,.*"message":"hi"\}`, <-answers)
	}
	answers = wait()
	began := time.Now()
	require.NoError(t, p.Stop(syscall.SIGTERM))
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
	require.Equal(t, "pubsub "+version.String()+"\n", out.String())

	env := []string{"PORT=http", "PUBSUB_HEARTBEAT=soon"}
	err := run(t.Context(), []string{"-max-channels=many", "-history-age=-1s"}, env, &out, io.Discard)
	for _, each := range []string{`PORT="http"`, `PUBSUB_HEARTBEAT="soon"`, `-max-channels "many"`, `-history-age "-1s" must be a duration`} {
		require.ErrorContains(t, err, each, "all that is wrong is told at once")
	}
	require.ErrorContains(t, run(t.Context(), []string{"-no-such"}, nil, &out, io.Discard), "no-such")
	require.ErrorContains(t, run(t.Context(), []string{"sevre"}, nil, &out, io.Discard), `"sevre" is no word of pubsub`)
	require.ErrorContains(t, run(t.Context(), []string{"serve", "chat"}, nil, &out, io.Discard), `"chat" is not a flag`)

	for _, word := range []string{"help", "version"} {
		out.Reset()
		require.NoError(t, run(t.Context(), []string{word}, nil, &out, io.Discard))
		require.Contains(t, out.String(), "pubsub")
	}
}

// The word torture has flags of its own, and a status of its own for wrong ones.
func TestTortureIsAWord(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"torture", "-help"}, nil, &out, io.Discard))
	require.Contains(t, out.String(), "pubsub torture [flags] URL")

	err := run(t.Context(), []string{"torture", "-rate=fast", "http://localhost"}, nil, &out, io.Discard)
	require.ErrorContains(t, err, "-rate")
	require.Equal(t, 2, exitStatus(err))
	require.Equal(t, 1, exitStatus(run(t.Context(), []string{"-no-such"}, nil, &out, io.Discard)))
}

// The word health asks the server of the environment.
func TestHealthIsAWord(t *testing.T) {
	s := startWeb(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"health"}, []string{"PUBSUB_ADDR=" + s.Addr()}, &out, io.Discard))
	require.Equal(t, "healthy\n", out.String())
	err := run(t.Context(), []string{"health"}, []string{"PUBSUB_ADDR=nowhere"}, &out, io.Discard)
	require.ErrorContains(t, err, `addr "nowhere"`)
	require.Equal(t, 1, exitStatus(err))
}

// The words tail and post, too.
func TestTailAndPostAreWords(t *testing.T) {
	for _, word := range []string{"tail", "post"} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), []string{word, "-help"}, nil, &out, io.Discard))
		require.Contains(t, out.String(), "pubsub "+word+" [flags] URL CHANNEL")
		require.Equal(t, 2, exitStatus(run(t.Context(), []string{word, "no-url", "room"}, nil, &out, io.Discard)))
	}
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
	require.Equal(t, http.StatusNotFound, p.Get(t, "/metrics").Status)
	require.NoError(t, p.Stop(syscall.SIGTERM))
	lines := p.Line + "\n" + p.Log()
	require.Contains(t, lines, `"msg":"The chat is at http`)
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
	require.Contains(t, get(t, at+"/metrics"), "pubsub_polls_pending 0")
	require.Contains(t, get(t, at+"/debug/pprof/"), "goroutine")
	stranger, err := http.NewRequest(http.MethodGet, at+"/debug/pprof/cmdline", nil)
	require.NoError(t, err)
	stranger.Host = "stranger.example" // resolves to this machine
	resp, err := http.DefaultClient.Do(stranger)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
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
			t.Parallel()
			p := pubsubtest.Command{Shell: "ulimit -n 1024; exec pubsub"}.Start(t)
			for i := range 1100 {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addresses[i%len(addresses)])}}
				c, err := d.Dial("tcp", p.Addr())
				require.NoError(t, err)
				defer c.Close()
			}
			newcomer := &http.Client{Timeout: time.Second}
			defer newcomer.CloseIdleConnections()
			resp, err := newcomer.Get(p.URL.JoinPath("healthz").String())
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.NoError(t, p.Stop(syscall.SIGTERM))
			require.Contains(t, p.Log(), " reason="+reason+" address=127.0.0.66:")
			require.NotContains(t, p.Log(), "could not be taken")
		})
	}
}

// What is printed can be opened in a browser on this machine.
func TestBrowsable(t *testing.T) {
	here, everywhere := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, &net.TCPAddr{IP: net.IPv6zero, Port: 8080}
	for _, c := range []struct {
		addr net.Addr
		set  settings.Settings
		want string
	}{
		{here, settings.Settings{}, "http://127.0.0.1:8080"},
		{here, settings.Settings{TLSCert: "cert.pem"}, "https://127.0.0.1:8080"},
		{everywhere, settings.Settings{}, "http://localhost:8080 (on all interfaces)"},
		{everywhere, settings.Settings{TLSCert: "cert.pem"}, "https://localhost:8080 (on all interfaces)"},
		{everywhere, settings.Settings{Domain: "chat.example"}, "https://chat.example"},
		{&net.UnixAddr{Name: "/run/pubsub.sock"}, settings.Settings{}, "unix:/run/pubsub.sock"},
	} {
		require.Equal(t, c.want, browsable(c.addr, &c.set))
	}
}

func TestLookUp(t *testing.T) {
	variable := lookUp([]string{"PUBSUB_TOKEN_KEY=key", "PUBSUB_TOKEN=a=b", "EMPTY="})
	for name, want := range map[string]string{"PUBSUB_TOKEN": "a=b", "PUBSUB_TOKEN_KEY": "key", "EMPTY": "", "PUBSUB": "", "KEY": ""} {
		require.Equal(t, want, variable(name), name)
	}
}
