package deploy_test

import (
	"bytes"
	"flag"
	"fmt"
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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what should come at once, on a machine that is busy.
const patience = 30 * time.Second

var long = flag.Bool("long", false, "hold polls for 65 seconds of real time")

// binary is the server, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "pubsub-deploy-")
	if err == nil {
		binary = filepath.Join(dir, "pubsub")
		err = build()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build() error {
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the server does not build: %w\n%s", err, out)
	}
	return nil
}

// server is a pubsub process that can be stopped, and started again under the same address.
type server struct {
	*process
	t    *testing.T
	addr string
	env  []string
}

// startServer starts a server that believes one proxy. All clients of a test share one address or few, so
// that the limits of an address are off where the settings, NAME=value, do not say otherwise. The test may run
// beside others.
func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	t.Parallel()
	s := &server{t: t, addr: reserve(t, "127.0.0.1")}
	s.env = append([]string{
		"PUBSUB_ADDR=" + s.addr, "PUBSUB_TRUSTED_HOPS=1", "PUBSUB_MAX_POLLS_PER_ADDRESS=0", "PUBSUB_PUBLISH_RATE=0",
	}, settings...)
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = s.env
	s.process = start(s.t, cmd, "The chat is at")
}

// polling waits until so many polls are pending.
func (s *server) polling(n int) {
	s.t.Helper()
	c := newClient(s.t, s.addr, "127.0.0.1")
	want := fmt.Sprintf("polling = %d\n", n)
	require.Eventually(s.t, func() bool {
		_, _, got := c.do(http.MethodGet, "/debug")
		return strings.HasPrefix(got, want)
	}, patience, 10*time.Millisecond, "it does not become %s", want)
}

// startNginx starts nginx with the configuration of this folder. Only what ties it to one machine is
// another: addresses, files and the user. A test may change more.
func startNginx(t *testing.T, upstream string, changes ...func(conf string) string) (addr, addr6 string) {
	t.Helper()
	text, err := os.ReadFile("nginx.conf")
	require.NoError(t, err)
	dir := t.TempDir()
	addr, addr6 = reserve(t, "127.0.0.1"), reserve(t, "::1")
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
	start(t, exec.Command(nginx(t), "-p", dir, "-c", file, "-e", "stderr"), "start worker process ")
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

func nginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} { // Debian's is not on everybody's PATH
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("These tests need nginx. On Debian: apt-get install nginx")
	return ""
}

// reserve returns host:port that is free until the end of the test: a socket that is bound but does not
// listen keeps it from outgoing connections, and lets a server have it. It is "" where the machine has no such
// address.
func reserve(t *testing.T, host string) string {
	t.Helper()
	ip := net.ParseIP(host)
	family, addr := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Addr: [16]byte(ip.To16())})
	if v4 := ip.To4(); v4 != nil {
		family, addr = syscall.AF_INET, &syscall.SockaddrInet4{Addr: [4]byte(v4)}
	}
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		return ""
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	syscall.CloseOnExec(socket)
	require.NoError(t, syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if syscall.Bind(socket, addr) != nil {
		return ""
	}
	bound, err := syscall.Getsockname(socket)
	require.NoError(t, err)
	port := 0
	switch bound := bound.(type) {
	case *syscall.SockaddrInet4:
		port = bound.Port
	case *syscall.SockaddrInet6:
		port = bound.Port
	}
	return net.JoinHostPort(host, fmt.Sprint(port))
}

// process is a program that runs until the end of the test, or until it is stopped.
type process struct {
	t     *testing.T
	name  string
	stop  func() // as a service manager does, and waits for the end
	ended chan error
	out   output
}

// start returns once the program has written what it says when it is ready.
func start(t *testing.T, cmd *exec.Cmd, ready string) *process {
	t.Helper()
	p := &process{t: t, name: filepath.Base(cmd.Path), ended: make(chan error, 1)}
	p.out.ready, p.out.isReady = ready, make(chan struct{})
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	require.NoError(t, cmd.Start())
	p.stop = sync.OnceFunc(func() { p.terminate(cmd.Process) })
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, p.out.String())
		}
	})
	go func() { p.ended <- cmd.Wait() }()
	select {
	case <-p.out.isReady:
	case err := <-p.ended:
		p.ended <- nil // told here
		require.FailNow(t, p.name+" does not start", "%v", err)
	case <-time.After(patience):
		require.FailNow(t, p.name+" does not become ready")
	}
	return p
}

func (p *process) terminate(running *os.Process) {
	_ = running.Signal(syscall.SIGTERM)
	select {
	case err := <-p.ended:
		assert.NoError(p.t, err, "%s, asked to end", p.name)
	case <-time.After(patience):
		_ = running.Kill()
		<-p.ended
		assert.Fail(p.t, p.name+" does not end")
	}
}

// output is what a program writes.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	ready   string // "" once it was written
	isReady chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if o.ready != "" && bytes.Contains(o.text.Bytes(), []byte(o.ready)) {
		o.ready = ""
		close(o.isReady)
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
