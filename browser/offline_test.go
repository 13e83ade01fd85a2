package browser_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page opens while the server is gone, shows what was there, and sends what is written when it can.
func TestOpensWithoutTheServer(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.requestsFail = true
	p.takeNick("ann")
	p.say("before")
	has(p, true, `caches.match("/").then(Boolean)`)
	has(p, true, `caches.open("pubsub page").then((cache) => cache.keys()).then((all) => all.some(({url}) => url.endsWith("/chat.js")) && all.some(({url}) => url.endsWith("/pubsub.css")))`)
	require.NoError(t, s.Stop(syscall.SIGTERM))
	p.do(chromedp.Reload())
	p.shows("ann: before")
	has(p, "Reconnecting.", `document.querySelector("#connection .words").textContent`)
	p.tryToSay("written without a server")
	p.pends("written without a server")
	p.screenshot("offline.png")
	s.Restart(t)
	p.shows("ann: written without a server")
	p.pends()
	assert.Equal(t, []string{"written without a server"}, s.said("chat"))
}

func TestCanBeInstalled(t *testing.T) {
	s := startServer(t)
	p := startChromium(t).open(s.URL)
	manifest := call(p, page.GetAppManifest, page.GetAppManifestParams{})
	assert.Empty(t, manifest.Errors)
	assert.Contains(t, manifest.Data, `"name": "pubsub"`)
	// Without windows, nothing can be installed, and nothing is wrong with that.
	becomes(t, 0, func() int { return len(call(p, page.GetInstallabilityErrors, cdp.Empty{}).InstallabilityErrors) })
	for _, path := range []string{"/sw.js", "/manifest.webmanifest", "/icon-192.png", "/icon-512.png"} {
		resp, err := http.Get(s.URL + path)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, 200, resp.StatusCode, path)
		assert.Equal(t, "no-cache", resp.Header.Get("Cache-Control"), path)
	}
	resp, err := http.Get(s.URL + "/?channel=lobby")
	require.NoError(t, err)
	defer resp.Body.Close()
	html, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.True(t, strings.Contains(string(html), `property="og:title" content="lobby`))
}
