package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every way that a script could come to run that somebody smuggled into the page, and what forbids it.
func TestInjectedScriptDoesNotRun(t *testing.T) {
	const inject = `new Promise((done) => {
		window.ran = [];
		const forbidden = [];
		let broken = false;
		const look = () => broken && forbidden.length === 7 && done(forbidden.sort());
		document.addEventListener("securitypolicyviolation", (event) => {
			forbidden.push(event.effectiveDirective + " " + event.blockedURI);
			look();
		});
		const put = (name, properties) => {
			const element = Object.assign(document.createElement(name), properties);
			conversation.append(element);
			return element;
		};
		put("script", {textContent: "ran.push('script')"});
		put("script", {src: "data:text/javascript,ran.push('data')"});
		put("script", {src: "http://elsewhere.test/script.js"});
		put("p", {innerHTML: "<img src=/no-such-image onerror=\"ran.push('handler')\">"}).firstChild
			.addEventListener("error", () => { broken = true; look(); });
		put("a", {href: "javascript:ran.push('address')"}).click();
		put("base", {href: "http://elsewhere.test/"});
		// The protocol lets what it evaluates use eval, but not what that calls later.
		setTimeout(() => { try { eval("ran.push('eval')"); } catch {} });
	})`
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.requestsFail = true // there is no such image
	assert.Equal(t, []string{
		"base-uri http://elsewhere.test/",
		"script-src eval",
		"script-src-attr inline",
		"script-src-elem data",
		"script-src-elem http://elsewhere.test/script.js",
		"script-src-elem inline", // the script
		"script-src-elem inline", // the address
	}, eval[[]string](p, inject))
	assert.Empty(t, eval[[]string](p, "ran"))
	console := p.takeConsole()
	assert.GreaterOrEqual(t, len(console), 7, "no test would notice what the policy forbids: %q", console)
	for _, line := range console {
		assert.Contains(t, line, "security error")
	}
}

// A page that looks like ours but is another's must not put ours into a frame, and catch clicks meant for it.
func TestPageIsNotFramed(t *testing.T) {
	s := startServer(t)
	other := stranger(t, fmt.Sprintf(`<iframe src=%q></iframe><iframe src="/frame"></iframe>`, s.URL))
	p := startBrowser(t).visit(other)
	var frames []string
	for _, frame := range call(p, page.GetFrameTree, cdp.Empty{}).FrameTree.ChildFrames {
		frames = append(frames, frame.Frame.URL)
	}
	assert.ElementsMatch(t, []string{"chrome-error://chromewebdata/", other + "/frame"}, frames)
	assert.Contains(t, strings.Join(p.takeConsole(), "\n"), "frame-ancestors 'none'")
}

func TestHeadersOfWhatBrowsersLoad(t *testing.T) {
	s := startServer(t)
	for path, policed := range map[string]bool{
		"/": true, "/pubsub.js": true, "/sw.js": true, "/favicon.svg": true,
		"/pubsub.css": false, "/manifest.webmanifest": false,
		"/debug": false, "/sub?since=all&timeout=0": false, "/sub?since=never": false, "/chat?cur_len=1&timeout=0": false,
		"/metrics": false, "/healthz": false, "/channels": false, "/no-such": false, "/pub": false,
	} {
		resp, err := http.Get(s.URL + path)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), path)
		if policed {
			assert.Equal(t, "no-referrer", resp.Header.Get("Referrer-Policy"), path)
			assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'self'; ", path)
			assert.NotContains(t, resp.Header.Get("Content-Security-Policy"), "unsafe", path)
		}
	}
}

// stranger serves a page of another origin.
func stranger(t *testing.T, page string) (origin string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/" {
			fmt.Fprint(w, "<!doctype html><link rel=icon href=data:,><title>elsewhere</title>", page)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// attempts is what a page of another origin tries, and what it gets: an answer's status, "opaque" for one
// that it may not read, or "refused".
const attempts = `(async (server) => {
	const attempt = (path, options) => fetch(server + path, options).then(
		(response) => response.type === "opaque" ? response.type : String(response.status), () => "refused");
	const form = (message) => new URLSearchParams({nick: "eve", message});
	const json = (message) => ({
		method: "POST",
		headers: {"Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID(), "X-Client-ID": "eve"},
		body: JSON.stringify({nick: "eve", message}),
	});
	return {
		form: await attempt("/pub", {method: "POST", body: form("form")}),
		blind: await attempt("/pub", {method: "POST", body: form("blind"), mode: "no-cors"}),
		json: await attempt("/pub", json("json")),
		event: await attempt("/publish/chat", json("event")),
		api: await attempt("/api/publish/chat", json("api")),
		read: await attempt("/sub?since=all&timeout=0"),
		poll: await attempt("/api/poll/chat?last_message_id=0", {headers: {"X-Client-ID": "eve"}}),
		text: await attempt("/chat?chat_id=chat&cur_len=0"),
	};
})`

var tried = []string{"form", "blind", "json", "event", "api", "read", "poll", "text"}

// A page of another origin may neither post nor read, whether or not it shares our host, until it is allowed.
func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	sameHost := stranger(t, "")
	otherHost := strings.Replace(stranger(t, ""), "127.0.0.1", "localhost", 1)
	for name, c := range map[string]struct {
		allowed string
		passes  []string
	}{
		"by default":       {"", nil},
		"one is allowed":   {otherHost, []string{otherHost}},
		"both are allowed": {otherHost + "," + sameHost, []string{otherHost, sameHost}},
		"all are allowed":  {"*", []string{otherHost, sameHost}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.passes) > 1 {
				inTheWholeSize(t)
			}
			s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+c.allowed)
			s.publish("chat", "ann", "ours")
			b := startBrowser(t)
			said := []string{"ours"}
			for _, origin := range []string{sameHost, otherHost} {
				p := b.visit(origin)
				got := eval[map[string]string](p, fmt.Sprintf("%s(%q)", attempts, s.URL))
				want := make(map[string]string)
				passes := slices.Contains(c.passes, origin)
				for _, each := range tried {
					want[each] = "refused"
					if passes {
						want[each] = "200"
					}
				}
				want["blind"] = "opaque"
				assert.Equal(t, want, got, origin)
				console := strings.Join(p.takeConsole(), "\n")
				if passes {
					said = append(said, "form", "blind", "json", "event", "api")
					assert.Empty(t, console)
				} else {
					assert.Contains(t, console, "CORS policy")
				}
			}
			assert.Equal(t, said, s.said("chat"))
		})
	}
}
