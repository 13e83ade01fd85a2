package pubsubtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// StartNginx starts nginx with deploy/nginx.conf before a server that listens on upstream,
// and returns where nginx listens; addr6 is empty where there is no IPv6. Only what ties
// the configuration to one machine is another: addresses, files and the user. A test may
// change more. It ends with the test.
func StartNginx(t testing.TB, upstream string, changes ...func(conf string) string) (addr, addr6 string) {
	t.Helper()
	source, err := root()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(source, "deploy", "nginx.conf"))
	require.NoError(t, err)
	addr, addr6 = Reserve(t, "127.0.0.1"), Reserve(t, "::1")
	listen6 := ""
	if addr6 != "" {
		listen6 = "listen " + addr6 + ";"
	}
	conf := string(text)
	for _, change := range append([]func(string) string{
		ReplaceLine(t, "user www-data;", user()),
		ReplaceLine(t, "pid /run/nginx.pid;", "pid nginx.pid; daemon off;"),
		ReplaceLine(t, "error_log /var/log/nginx/error.log;", "error_log stderr notice;"),
		ReplaceLine(t, "http {", "http {"+tempPaths),
		ReplaceLine(t, "server 127.0.0.1:8080;", "server "+upstream+";"),
		ReplaceLine(t, "listen 80;", "listen "+addr+";"),
		ReplaceLine(t, "listen [::]:80;", listen6),
	}, changes...) {
		conf = change(conf)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o644))
	Run(t, exec.Command(Find(t, "nginx", "nginx"), "-p", dir, "-c", file, "-e", "stderr"), "start worker process ")
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

// ReplaceLine changes the beginning of a line of the configuration. It fails where that is
// not there once: the configuration has moved on without the tests.
func ReplaceLine(t testing.TB, line, with string) func(conf string) string {
	return func(conf string) string {
		t.Helper()
		of := regexp.MustCompile(`(?m)^( *)` + regexp.QuoteMeta(line))
		require.Len(t, of.FindAllString(conf, -1), 1, "%q in nginx.conf", line)
		return of.ReplaceAllLiteralString(conf, with)
	}
}
