package conformance_test

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lasting is the address of a file of the page that stays as it is in another version of the server.
func lasting(t *testing.T, link *regexp.Regexp) string {
	t.Helper()
	return ofVersion.ReplaceAllString(linked(t, base, link), "")
}

var ofVersion = regexp.MustCompile("^/@[^/]+")

func TestStaticFile(t *testing.T) {
	name := lasting(t, stylesheetLink)
	get, head := base.Get(t, name), base.Do(t, "HEAD", name, nothing)

	require.Equal(t, http.StatusOK, get.Status)
	assert.Equal(t, "text/css", get.MediaType())
	assert.Equal(t, fmt.Sprint(len(get.Body)), get.Header.Get("Content-Length"))
	assert.Equal(t, "bytes", get.Header.Get("Accept-Ranges"))
	assert.Equal(t, get.Body, base.Get(t, name+"?x=1").Body, "a query does not matter")

	assert.Equal(t, http.StatusOK, head.Status)
	assert.Empty(t, head.Body)
	for _, field := range []string{"Content-Type", "Content-Length", "Last-Modified", "Etag", "Accept-Ranges"} {
		assert.Equal(t, get.Header.Get(field), head.Header.Get(field), field)
	}
}

func TestStaticFileNotModified(t *testing.T) {
	name := lasting(t, stylesheetLink)
	whole := base.Get(t, name)
	etag, modified := whole.Header.Get("Etag"), whole.Header.Get("Last-Modified")
	require.NotEmpty(t, etag+modified, "nothing to ask with")

	if etag != "" {
		a := base.Get(t, name, "If-None-Match: "+etag)
		assert.Equal(t, http.StatusNotModified, a.Status)
		assert.Empty(t, a.Body)
		assert.Equal(t, http.StatusNotModified, base.Do(t, "HEAD", name, nothing, "If-None-Match: "+etag).Status)
		assert.Equal(t, whole.Body, base.Get(t, name, `If-None-Match: "another"`).Body)
	}
	if modified != "" {
		a := base.Get(t, name, "If-Modified-Since: "+modified)
		assert.Equal(t, http.StatusNotModified, a.Status)
		assert.Empty(t, a.Body)
		assert.Equal(t, whole.Body, base.Get(t, name, "If-Modified-Since: Thu, 01 Jan 2004 00:00:00 GMT").Body)
	}
}

func TestStaticFileRanges(t *testing.T) {
	name := lasting(t, stylesheetLink)
	whole := base.Get(t, name).Body
	size := len(whole)
	require.Greater(t, size, 10)

	for asked, want := range map[string]struct{ from, to int }{
		"0-4":                         {0, 5},
		"5-":                          {5, size},
		"-5":                          {size - 5, size},
		fmt.Sprintf("5-%d", size+100): {5, size},
	} {
		a := base.Get(t, name, "Range: bytes="+asked)
		assert.Equal(t, http.StatusPartialContent, a.Status, asked)
		assert.Equal(t, whole[want.from:want.to], a.Body, asked)
		assert.Equal(t, fmt.Sprintf("bytes %d-%d/%d", want.from, want.to-1, size), a.Header.Get("Content-Range"), asked)
	}
	beyond := base.Get(t, name, fmt.Sprintf("Range: bytes=%d-", size+1))
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, beyond.Status)

	several := differs[string]{"multipart/byteranges", "text/css",
		"Bottle serves the first range alone; net/http serves each that is asked for"}
	assert.Equal(t, several.want(t), base.Get(t, name, "Range: bytes=0-1,3-4").MediaType())
}

func TestNoSuchFile(t *testing.T) {
	css := linked(t, base, stylesheetLink)
	upper := path.Dir(css) + strings.ToUpper(path.Base(css))
	for _, name := range []string{"/nothing", upper, "/static" + css, "/SUB", "/sub/", "/pub/", "/debug/", "/templates/index.html", "/.git/config"} {
		assert.Equal(t, http.StatusNotFound, base.Get(t, name).Status, name)
	}
	slash := differs[int]{http.StatusNotFound, http.StatusOK, "Bottle drops the slash; a file is not a folder"}
	assert.Equal(t, slash.want(t), base.Get(t, css+"/").Status)
}

// The names are of files that exist beside static/ on one server or the other, or on any machine.
func TestPathsThatTryToLeaveTheFolder(t *testing.T) {
	name := path.Base(linked(t, base, stylesheetLink))
	for _, target := range []string{
		"/.", "/..", "/../", "/./",
		"/../go.mod", "/../main.go", "/../app.py", "/../templates/index.html", "/../static",
		"/%2e%2e/go.mod", "/%2e%2e/app.py", "/.%2e/app.py", "/%2e%2e%2fapp.py", "/..%2fgo.mod",
		"/%252e%252e/app.py", "/%252e%252e%252fapp.py",
		`/..\go.mod`, `/..\app.py`, "/..%5cgo.mod", "/..%5c..%5capp.py", "/%5c..%5capp.py",
		"/" + name + "/../../go.mod", "/" + name + "/../../app.py",
		"/....//app.py", "/..;/app.py", "/..%00/app.py", "/%c0%ae%c0%ae/app.py", "/%u002e%u002e/app.py",
		"//etc/passwd", "/%2fetc/passwd", "/../../../../../../../etc/passwd",
		"/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
		"/\x00", "/%00", "/" + name + "\x00", "/" + name + "%00", "/" + name + "%00.html", "/../app.py%00.css",
		"http://" + base.URL.Host + "/../go.mod", "http://" + base.URL.Host + "/../app.py",
		"../app.py", "../go.mod",
	} {
		a := base.Dial(t).Do(t, "GET", target, "Connection: close")
		// Never a redirect either: what it led to would only be tried next.
		assert.Contains(t, []int{400, 403, 404}, a.Status, "%q", target)
	}
	assert.Equal(t, http.StatusOK, base.Get(t, "/").Status, "the server lives")
}
