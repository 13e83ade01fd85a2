package conformance_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// as a browser asks
const browsers = "Accept-Encoding: gzip, deflate, br, zstd"

// unpacked is the answer's body, which must be in gzip.
func unpacked(t *testing.T, a answer) string {
	t.Helper()
	require.Equal(t, "gzip", a.Header.Get("Content-Encoding"))
	z, err := gzip.NewReader(strings.NewReader(a.Body))
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(text)
}

// requireCompressed asks for both forms of what is at a path, and compares them.
func requireCompressed(t *testing.T, target string) {
	t.Helper()
	plain, packed := base.Get(t, target), base.Get(t, target, browsers)
	require.Equal(t, http.StatusOK, plain.Status, target)
	require.Equal(t, plain.Body, unpacked(t, packed), target)
	require.Less(t, len(packed.Body), len(plain.Body))
	require.Equal(t, plain.Header.Get("Content-Type"), packed.Header.Get("Content-Type"))
	for _, a := range []answer{plain, packed} {
		require.Contains(t, a.Header.Values("Vary"), "Accept-Encoding", target)
	}
	for _, refusing := range []string{"gzip;q=0", "gzip;q=0, *", "br", "identity", ""} {
		a := base.Get(t, target, "Accept-Encoding: "+refusing)
		require.Empty(t, a.Header.Get("Content-Encoding"), refusing)
		require.Equal(t, plain.Body, a.Body, refusing)
	}
}

func TestFilesAreCompressed(t *testing.T) {
	if !ours(t, "it compresses nothing") {
		return
	}
	for _, target := range []string{"/", lasting(t, stylesheetLink), lasting(t, scriptLink)} {
		requireCompressed(t, target)
		plain, packed := base.Get(t, target), base.Get(t, target, browsers)
		tags := []string{plain.Header.Get("Etag"), packed.Header.Get("Etag")}
		assert.NotEqual(t, tags[0], tags[1], "a cache would mix the two up")
		for i, accept := range []string{"Accept-Encoding: identity", browsers} {
			same := base.Get(t, target, accept, "If-None-Match: "+tags[i])
			assert.Equal(t, http.StatusNotModified, same.Status)
			assert.Equal(t, tags[i], same.Header.Get("Etag"))
			assert.Contains(t, same.Header.Values("Vary"), "Accept-Encoding")
			assert.Empty(t, same.Body+same.Header.Get("Content-Encoding"))
			assert.Equal(t, http.StatusOK, base.Get(t, target, accept, "If-None-Match: "+tags[1-i]).Status)
			failed := base.Get(t, target, accept, `If-Match: "another"`)
			assert.Equal(t, http.StatusPreconditionFailed, failed.Status)
			assert.Empty(t, failed.Body)
		}

		head := base.Do(t, "HEAD", target, nothing, browsers)
		assert.Equal(t, http.StatusOK, head.Status)
		assert.Empty(t, head.Body)
		for _, field := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Etag", "Vary"} {
			assert.Equal(t, packed.Header.Get(field), head.Header.Get(field), field)
		}

		part := base.Get(t, target, browsers, "Range: bytes=5-14")
		assert.Equal(t, http.StatusPartialContent, part.Status)
		assert.Equal(t, tags[0], part.Header.Get("Etag"), "a part is of the plain file")
		assert.Equal(t, plain.Body[5:15], part.Body)
		whole := base.Get(t, target, browsers, "Range: bytes=5-14", "If-Range: "+tags[1])
		assert.Equal(t, http.StatusOK, whole.Status, "what the client has is no part of the plain file")
		assert.Equal(t, plain.Body, whole.Body)
	}
}

func TestLongAnswersAreCompressed(t *testing.T) {
	if !ours(t, "it compresses nothing") {
		return
	}
	channel := fresh()
	say(t, base, channel, "short")
	small := base.Get(t, "/sub/"+channel+"?since=all&timeout=0", browsers)
	require.Empty(t, small.Header.Get("Content-Encoding")+small.Header.Get("Vary"))
	for range 4 {
		say(t, base, channel, strings.Repeat("long ", 1000))
	}
	for _, target := range []string{
		"/sub/" + channel + "?since=all&timeout=0",
		"/history/" + channel,
		"/subscribe/" + channel + "?last_event_id=1",
		"/api/poll/" + channel + "?last_message_id=0",
		"/chat?chat_id=" + channel,
	} {
		requireCompressed(t, target)
	}
	for range 10 {
		say(t, base, channel, strings.Repeat("long ", 2000))
	}
	large := base.Get(t, "/sub/"+channel+"?since=all&timeout=0", browsers)
	require.Greater(t, len(large.Body), 64<<10)
	require.Empty(t, large.Header.Get("Content-Encoding"), "a large one takes the server too long")
}

// The original's clients parse what comes line by line, after heartbeats.
func TestPlainPollsAreNotCompressed(t *testing.T) {
	if !ours(t, "it compresses nothing") {
		return
	}
	channel := fresh()
	base.AwaitPolling(t, 0)
	poll := base.Poll(t, "/sub/"+channel, browsers)
	base.AwaitPolling(t, 1)
	said := strings.Repeat("long ", 1000)
	say(t, base, channel, said)
	a := poll.Receive(t, "GET")
	require.Empty(t, a.Header.Get("Content-Encoding"))
	require.Contains(t, a.Body, said)
}

var (
	anyLink   = regexp.MustCompile(`<(?:link|script|img)[^>]+(?:href|src)="([^"]+)"`)
	anyImport = regexp.MustCompile(`(?m)^(?:import|export)[^;]* from "([^"]+)"`)
)

// A comment has lines of its own.
var (
	comment  = regexp.MustCompile(`(?ms)^\s*//[^\n]*$|^\s*/\*[^\n]*?\*/$|^\s*/\*[^\n/]*\n.*?\*/$`)
	anySpace = regexp.MustCompile(`\s+`)
)

// requirePacked checks that a file of the page comes in each encoding, and with few headers.
func requirePacked(t *testing.T, target string, plain answer) {
	t.Helper()
	if strings.HasSuffix(target, ".png") {
		return
	}
	brotlied, gzipped := base.Get(t, target, browsers), base.Get(t, target, "Accept-Encoding: gzip, br;q=0")
	require.Equal(t, plain.Body, unpacked(t, gzipped), target)
	require.Equal(t, "br", brotlied.Header.Get("Content-Encoding"), target)
	text, err := io.ReadAll(brotli.NewReader(strings.NewReader(brotlied.Body)))
	require.NoError(t, err)
	require.Equal(t, plain.Body, string(text), target)
	require.Less(t, len(brotlied.Body), len(gzipped.Body))
	head := base.Do(t, "HEAD", target, nothing, browsers)
	require.Equal(t, fmt.Sprint(len(brotlied.Body)), head.Header.Get("Content-Length"))
	for _, a := range []answer{plain, gzipped, brotlied} {
		require.Equal(t, "Accept-Encoding", a.Header.Get("Vary"), target)
		if a.MediaType() != "text/javascript" {
			require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"), target)
		}
		require.LessOrEqual(t, len(a.Header), 7, "%s: %v", target, a.Header)
	}
}

// All that the page needs is under one address that a browser keeps for ever. Its service worker is at an address that
// stays, where a browser looks for a newer one.
func TestFilesOfThePageAreKept(t *testing.T) {
	if !ours(t, "its files have one address each") {
		return
	}
	home := base.Get(t, "/")
	require.Equal(t, "no-cache", home.Header.Get("Cache-Control"))
	folder := path.Dir(linked(t, base, stylesheetLink))
	require.Regexp(t, `^/@[0-9a-f]{16}$`, folder)
	for _, installed := range []string{"/manifest.webmanifest", "/sw.js"} {
		require.Equal(t, "no-cache", base.Get(t, installed).Header.Get("Cache-Control"))
	}
	for _, link := range anyLink.FindAllStringSubmatch(home.Body, -1) {
		require.True(t, strings.HasPrefix(link[1], folder+"/"), link[1])
		a := base.Get(t, link[1])
		require.Equal(t, http.StatusOK, a.Status)
		require.Equal(t, "max-age=31536000,immutable", a.Header.Get("Cache-Control"))
		requirePacked(t, link[1], a)
		for _, from := range anyImport.FindAllStringSubmatch(a.Body, -1) {
			require.Contains(t, home.Body, `"`+path.Join(path.Dir(link[1]), from[1])+`"`, "%s imports what the page does not load ahead", link[1])
			require.True(t, strings.HasPrefix(from[1], "./"), "%s imports from another folder", link[1])
		}
		plain := base.Get(t, strings.TrimPrefix(link[1], folder))
		require.Equal(t, "no-cache", plain.Header.Get("Cache-Control"))
		require.Equal(t, anySpace.ReplaceAllString(a.Body, ""), anySpace.ReplaceAllString(comment.ReplaceAllString(plain.Body, ""), ""), link[1])

		// A page of another version of the server, while instances are replaced one by one.
		other := base.Get(t, "/@0123456789abcdef"+strings.TrimPrefix(link[1], folder))
		require.Equal(t, http.StatusOK, other.Status)
		require.Equal(t, "no-cache", other.Header.Get("Cache-Control"))
		require.Equal(t, plain.Body, other.Body)
	}
	for _, target := range []string{folder, folder + "/", folder + "/js", folder + "/nothing", folder + "/@x/pubsub.js", "/@", "/@/", "/@x" + folder + "/pubsub.js"} {
		a := base.Dial(t).Do(t, "GET", target, "Connection: close")
		require.Equal(t, http.StatusNotFound, a.Status, target)
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"), target)
	}
	require.Equal(t, http.StatusMethodNotAllowed, base.Do(t, "DELETE", folder+"/pubsub.js", nothing).Status)
}
