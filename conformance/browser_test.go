package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"

// A browser without JavaScript posts by the form, is sent to the page, and reads there.
func TestFormWithoutJavaScript(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	channel := fresh()
	c := base.Dial(t)
	body := "nick=ann&message=" + "%3Cb%3Ehi%3C%2Fb%3E+there"
	c.Send(t, "POST", "/pub/"+channel, html, "Content-Type: application/x-www-form-urlencoded", fmt.Sprint("Content-Length: ", len(body)))
	c.SendText(t, body)
	a := c.Receive(t, "POST")
	require.Equal(t, 303, a.Status)
	at := a.Header.Get("Location")
	assert.True(t, strings.HasPrefix(at, "/?"), at)
	page := base.Dial(t).Do(t, "GET", at, html)
	require.Equal(t, 200, page.Status)
	assert.Contains(t, string(page.Body), "&lt;b&gt;hi&lt;/b&gt; there")
	assert.NotContains(t, string(page.Body), "<b>hi</b> there")
	assert.Equal(t, []any{"<b>hi</b> there"}, read(t, base, channel, "since=all").texts())
}

// What is wrong is told as a page to a browser, and as JSON to everybody else.
func TestProblemsInABrowser(t *testing.T) {
	if !ours(t, noChannels) {
		return
	}
	t.Parallel()
	for path, status := range map[string]int{"/?channel=a+b": 400, "/nowhere": 404, "/pub": 405} {
		page := base.Dial(t).Do(t, "GET", path, html)
		assert.Equal(t, status, page.Status)
		assert.Equal(t, "text/html; charset=utf-8", page.Header.Get("Content-Type"), path)
		assert.Contains(t, string(page.Body), "To the chat")
		base.Get(t, path).RequireRefused(t, status)
	}
}
