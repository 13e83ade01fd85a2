package conformance_test

import (
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	stylesheetLink = regexp.MustCompile(`<link[^>]+href="([^"]+\.css[^"]*)"`)
	scriptLink     = regexp.MustCompile(`<script[^>]+src="([^"]+\.js[^"]*)"`)
)

// linked is the path of the page's first link of that kind: the two servers name their files differently.
func linked(t *testing.T, s site, link *regexp.Regexp) string {
	t.Helper()
	found := link.FindStringSubmatch(s.Get(t, "/").Body)
	require.NotNil(t, found, "the page has no %v", link)
	ref, err := url.Parse(found[1])
	require.NoError(t, err)
	return s.URL.JoinPath("/").ResolveReference(ref).RequestURI()
}

func TestPageIsTheChat(t *testing.T) {
	a := base.Get(t, "/")
	require.Equal(t, 200, a.Status)
	assert.Equal(t, "text/html", a.MediaType())
	for _, id := range []string{"chatform", "nick", "message", "send", "conversation"} {
		assert.Regexp(t, `<\w+[^>]*\bid="`+id+`"`, a.Body)
	}
}

func TestPageIgnoresAQuery(t *testing.T) {
	assert.Equal(t, 200, base.Get(t, "/?from=somewhere").Status)
}

func TestHeadOfThePage(t *testing.T) {
	get, head := base.Get(t, "/"), base.Do(t, "HEAD", "/", nothing)
	require.Equal(t, 200, head.Status)
	assert.Empty(t, head.Body)
	assert.Equal(t, get.Header.Get("Content-Type"), head.Header.Get("Content-Type"))
	assert.Equal(t, get.Header.Get("Content-Length"), head.Header.Get("Content-Length"))
}

func TestPageFindsItsFiles(t *testing.T) {
	for link, media := range map[*regexp.Regexp]string{
		stylesheetLink: "text/css",
		scriptLink:     "text/javascript",
	} {
		a := base.Get(t, linked(t, base, link))
		assert.Equal(t, 200, a.Status, media)
		assert.Equal(t, media, a.MediaType())
		assert.NotEmpty(t, a.Body, media)
	}
}

// Those who make previews of links take no address without a host.
func TestPictureOfPreviewsIsAbsolute(t *testing.T) {
	if !ours(t, "it has no picture") {
		return
	}
	picture := regexp.MustCompile(`property="og:image" content="([^"]+)"`)
	for header, origin := range map[string]string{
		"Accept: text/html":                     "http://" + base.URL.Host,
		"X-Forwarded-Proto: https":              "https://" + base.URL.Host,
		`Forwarded: for="1.2.3.4";proto=https`:  "https://" + base.URL.Host,
		`Forwarded: for="1.2.3.4";proto="http"`: "http://" + base.URL.Host,
	} {
		found := picture.FindStringSubmatch(base.Get(t, "/", header).Body)
		require.NotNil(t, found)
		require.Equal(t, origin+"/icon-512.png", found[1])
		require.Equal(t, "image/png", base.Get(t, "/icon-512.png").MediaType())
	}
}
