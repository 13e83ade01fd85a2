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
func (s server) linked(t *testing.T, link *regexp.Regexp) string {
	t.Helper()
	found := link.FindStringSubmatch(s.get(t, "/").body)
	require.NotNil(t, found, "the page has no %v", link)
	ref, err := url.Parse(found[1])
	require.NoError(t, err)
	return s.url.JoinPath("/").ResolveReference(ref).RequestURI()
}

func TestPageIsTheChat(t *testing.T) {
	a := base.get(t, "/")
	require.Equal(t, 200, a.status)
	assert.Equal(t, "text/html", a.mediaType())
	for _, id := range []string{"chatform", "nick", "message", "send", "conversation"} {
		assert.Regexp(t, `<\w+[^>]*\bid="`+id+`"`, a.body)
	}
}

func TestPageIgnoresAQuery(t *testing.T) {
	assert.Equal(t, 200, base.get(t, "/?from=somewhere").status)
}

func TestHeadOfThePage(t *testing.T) {
	get, head := base.get(t, "/"), base.do(t, "HEAD", "/", body{})
	require.Equal(t, 200, head.status)
	assert.Empty(t, head.body)
	assert.Equal(t, get.header.Get("Content-Type"), head.header.Get("Content-Type"))
	assert.Equal(t, get.header.Get("Content-Length"), head.header.Get("Content-Length"))
}

func TestPageFindsItsFiles(t *testing.T) {
	for link, media := range map[*regexp.Regexp]string{
		stylesheetLink: "text/css",
		scriptLink:     "text/javascript",
	} {
		a := base.get(t, base.linked(t, link))
		assert.Equal(t, 200, a.status, media)
		assert.Equal(t, media, a.mediaType())
		assert.NotEmpty(t, a.body, media)
	}
}
