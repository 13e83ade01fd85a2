package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

const (
	hereCount = `document.querySelector(".here:not([hidden]) summary")?.textContent ?? ""`
	hereNames = `Array.from(document.querySelectorAll(".here li bdi"), (e) => e.textContent)`
	quiet     = `Array.from(document.querySelectorAll("#lines .quiet"), (e) => e.textContent)`
	typing    = `document.querySelector(".typing:not([hidden])")?.textContent ?? ""`
)

// nicked is a script that has the page open with a nick.
func nicked(nick string) string {
	return fmt.Sprintf(`if (location.host) localStorage.getItem("pubsub.nick") ?? localStorage.setItem("pubsub.nick", %q)`, nick)
}

// atOnce is a script that has quiet lines be there with the count, without waiting for more.
const atOnce = `const later = setTimeout; window.setTimeout = (act, after) => later(act, after === 1000 ? 0 : after)`

// present has people be here by another program, until they leave.
func (s *server) present(room string, names ...string) (leave func()) {
	s.t.Helper()
	var open []*http.Response
	for _, name := range names {
		r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.URL+"/sub/"+room+"?presence="+neturl.QueryEscape(name), nil)
		require.NoError(s.t, err)
		r.Header.Set("Accept", "application/x-ndjson")
		resp, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(s.t, err)
		require.Equal(s.t, http.StatusOK, resp.StatusCode)
		open = append(open, resp)
	}
	leave = func() {
		for _, resp := range open {
			resp.Body.Close()
		}
	}
	s.t.Cleanup(leave)
	return leave
}

// here is who is in a room, as the server says.
func (s *server) here(room string) (names []string) {
	s.t.Helper()
	var who struct{ Names []string }
	require.NoError(s.t, json.Unmarshal([]byte(s.Get(s.t, "/presence/"+room).Body), &who))
	return who.Names
}

// Two people see each other come, type, speak and go, and nobody sees oneself.
func TestTwoPeopleSeeEachOther(t *testing.T) {
	s := startForLong(t)
	ann := startBrowser(t).open(s.URL, nicked("ann"))
	has(ann, "1 here", hereCount)
	bob := startBrowser(t).open(s.URL, nicked("bob"))
	has(ann, "2 here", hereCount)
	has(bob, "2 here", hereCount)
	has(ann, []string{"bob came"}, quiet)

	bob.types("#message", "hello")
	has(ann, "bob is typing", typing)
	ann.screenshot("typing.png")
	bob.do(chromedp.KeyEvent(kb.Enter))
	ann.shows("bob: hello")
	has(ann, "", typing)
	assert.Empty(t, eval[string](bob, typing), "of oneself")

	bob.do(chromedp.Reload())
	has(bob, "2 here", hereCount)
	bob.close()
	has(ann, []string{"bob came", "bob left"}, quiet)
	has(ann, "1 here", hereCount)
	ann.screenshot("left.png")
}

// The answer of who is here may come after what was told later.
func TestWhoCameWhileThePageAsked(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, nicked("ann"), `{
		const ask = fetch;
		window.fetch = async (address, options) => {
			const answer = await ask(address, options);
			if (!window.goOn && String(address).includes("/presence/")) await new Promise((resolve) => (window.goOn = resolve));
			return answer;
		};
	}`)
	has(p, true, "!!window.goOn")
	s.present("chat", "eve")
	has(p, "2 here", hereCount)
	eval[any](p, "void goOn()")
	has(p, []string{"ann", "eve"}, hereNames)
	has(p, "2 here", hereCount)
}

// Who is here is not shown before the stylesheet for it has come.
func TestWhoIsHereIsNotSeenUnstyled(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, nicked("ann"), `{
		const append = Element.prototype.append;
		Element.prototype.append = function (...nodes) {
			const held = !window.goOn && nodes.some((node) => String(node.href).endsWith("/presence.css"));
			if (held) window.goOn = () => append.apply(this, nodes);
			else append.apply(this, nodes);
		};
	}`)
	has(p, true, "!!window.goOn")
	for _, message := range []string{"one", "two", "three"} {
		s.publish("chat", "eve", message)
		has(p, message, `document.querySelector(".line:last-child .text")?.textContent ?? ""`)
		require.Empty(t, eval[string](p, hereCount))
	}
	eval[any](p, "void goOn()")
	has(p, "1 here", hereCount)
	require.Equal(t, "flex", eval[string](p, `getComputedStyle(document.querySelector(".here summary")).display`))
}

// The list opens and closes by the keyboard, and says who one is oneself.
func TestListOfWhoIsHere(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, nicked("bob"))
	s.present("chat", "Zoë", "ann")
	has(p, "3 here", hereCount)
	eval[any](p, `document.querySelector(".here summary").focus()`)
	p.toFront()
	p.do(chromedp.KeyEvent(kb.Enter))
	has(p, []string{"ann", "bob", "Zoë"}, hereNames)
	assert.Equal(t, "bob", eval[string](p, `document.querySelector(".here li:has(.you) bdi").textContent`))
	p.screenshot("here.png")
	s.present("chat", "eve")
	has(p, []string{"ann", "bob", "eve", "Zoë"}, hereNames)
	p.do(chromedp.KeyEvent(kb.Escape))
	has(p, false, `document.querySelector(".here").open`)
	assert.Equal(t, "4 here", eval[string](p, "document.activeElement.textContent"))
}

// Without a nick one is not here, with another one under that, in all tabs, and nothing is lost.
func TestNickIsWhoIsHere(t *testing.T) {
	s := startForLong(t)
	b := startBrowser(t)
	other := b.open(s.URL)
	p := b.open(s.URL)
	s.present("chat", "eve")
	has(p, "1 here", hereCount)
	assert.Equal(t, []string{"eve"}, s.here("chat"))
	p.takeNick("ann\n")
	has(p, "2 here", hereCount)
	has(other, "2 here", hereCount)
	becomes(t, []string{"ann", "eve"}, func() []string { return s.here("chat") })
	s.awaitListening(2)

	p.takeNick("bob\n")
	s.publish("chat", "eve", "meanwhile")
	becomes(t, true, func() bool { return slices.Contains(s.here("chat"), "bob") })
	for _, each := range []*tab{p, other} {
		each.shows("eve: meanwhile")
		assert.NotRegexp(t, "ann|bob", eval[[]string](each, quiet), "of oneself")
	}
	p.takeNick(kb.Backspace + "\n")
	becomes(t, []string{"eve"}, func() []string { return s.here("chat") })
	s.publish("chat", "eve", "after")
	p.shows("eve: meanwhile", "eve: after")
	other.shows("eve: meanwhile", "eve: after")
	s.awaitListening(2)
}

// Who types is said until they have said it, or for some seconds.
func TestWhoTypes(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, nicked("me"))
	has(p, "1 here", hereCount)
	types := func(name string) { s.post("/presence/chat", map[string]any{"typing": true, "name": name}) }
	types("me")
	types("ann")
	has(p, "ann is typing", typing)
	types("bob")
	has(p, "ann and bob are typing", typing)
	types("eve")
	has(p, "Several people are typing", typing)
	s.publish("chat", "bob", "done")
	has(p, "ann and eve are typing", typing)
	has(p, "", typing)
}

// Those who come together are one line; of many none is read out; nobody is told that they are unread, nor are they
// copied.
func TestQuietLines(t *testing.T) {
	s := startForLong(t, "PUBSUB_MAX_POLLS_PER_ADDRESS=0")
	for i := range 40 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	b := startWindow(t)
	p := b.open(s.URL, nicked("me"), `navigator.clipboard.writeText = async (text) => { window.copied = text; }`)
	has(p, "1 here", hereCount)
	eval[any](p, "void (conversation.scrollTop = 500)")
	has(p, true, "conversation.scrollTop < 510")
	leave := s.present("chat", "ann", "bob", "eve")
	has(p, []string{"ann, bob and eve came"}, quiet)
	const live = `document.querySelector("#lines > :last-child").ariaLive ?? ""`
	assert.Empty(t, eval[string](p, live))
	s.present("chat", "kim")
	has(p, []string{"ann, bob and 2 others came"}, quiet)
	assert.Equal(t, "off", eval[string](p, live))
	assert.Equal(t, 500, eval[int](p, "conversation.scrollTop"))
	assert.True(t, eval[bool](p, "hint.hidden"))

	p.opensMenu()
	p.clicks("#copy")
	has(p, 40, `window.copied?.split("\n").length`)
	b.open(s.URL + "/?channel=other")
	has(p, true, "document.hidden")
	leave()
	has(p, true, `/^kim came · (ann|bob|eve), (ann|bob|eve) and (ann|bob|eve) left$/.test(document.querySelector("#lines .quiet").textContent)`)
	assert.Equal(t, "chat · pubsub", eval[string](p, "document.title"))
	s.publish("chat", "ann", "40")
	has(p, "(1) chat · pubsub", "document.title")
}

// A server that was restarted hears of all anew, which is no news.
func TestRestartMakesNoQuietLines(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, nicked("me"), atOnce)
	has(p, "1 here", hereCount)
	s.present("chat", "ann")
	has(p, []string{"ann came"}, quiet)
	p.requestsFail = true
	require.Error(t, s.Stop(syscall.SIGKILL))
	s.Restart(t)
	p.isConnected()
	has(p, "1 here", hereCount)
	s.present("chat", "bob", "ann")
	has(p, "3 here", hereCount)
	assert.Equal(t, []string{"ann came"}, eval[[]string](p, quiet))
}

// Of many people there is the count.
func TestSixtyPeople(t *testing.T) {
	s := startForLong(t, "PUBSUB_MAX_POLLS_PER_ADDRESS=0", "PUBSUB_MAX_CONNECTIONS_PER_ADDRESS=0")
	p := startBrowser(t).open(s.URL, nicked("me"))
	var names []string
	for i := range 59 {
		names = append(names, fmt.Sprint("guest", i))
	}
	leave := s.present("chat", names...)
	has(p, "60 here", hereCount)
	p.clicks(".here summary")
	has(p, "60 people are hereNames are not listed of more than 50.", `document.querySelector(".here .menu").textContent`)
	assert.Empty(t, eval[[]string](p, hereNames))
	p.screenshot("sixty.png")
	has(p, true, `document.querySelector(".here").open`)
	eval[bool](p, `document.querySelector(".here summary").firstChild.pressed = true`)
	leave()
	has(p, "1 here", hereCount)
	has(p, true, `document.querySelector(".here summary").firstChild.pressed`)
	has(p, []string{"me"}, hereNames)
}

// Tabs share a connection under one nick, too, and go together to another.
func TestManyTabsUnderOneNick(t *testing.T) {
	s := startForLong(t)
	b := startBrowser(t)
	n := pubsubtest.Size(12, 4)
	room := func(i int) string { return fmt.Sprintf("room%d", i%(n/2)) }
	var tabs []*tab
	for i := range n {
		tabs = append(tabs, b.open(s.URL+"/?channel="+room(i), nicked("ann")))
	}
	check := func(nick string) {
		t.Helper()
		for i, p := range tabs {
			becomes(t, []string{nick}, func() []string { return s.here(room(i)) })
			has(p, "1 here", hereCount)
		}
		s.awaitListening(1)
	}
	check("ann")
	tabs[3].takeNick("bob\n")
	for i := range n {
		s.publish(room(i), "eve", fmt.Sprint(i))
	}
	check("bob")
	for i, p := range tabs {
		p.shows(fmt.Sprint("eve: ", i%(n/2)), fmt.Sprint("eve: ", i%(n/2)+n/2))
	}
}

// A server that knows nothing of who is here, or does not tell it, costs nothing but that.
func TestServersWithoutPresence(t *testing.T) {
	t.Parallel()
	servers := map[string]int{"old": 404, "away": 503}
	if !testing.Short() {
		servers["forbidden"] = 403
	}
	for name, refuse := range servers {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			var told atomic.Int64
			front := withoutPresence(t, s, refuse, &told)
			p := startBrowser(t).visitFailing(front, nicked("ann"))
			p.isConnected()
			has(p, true, `performance.getEntriesByType("resource").some(({name, responseStatus}) => name.includes("presence?") && responseStatus === 400)`)
			p.say("hi")
			s.publish("chat", "bob", "hello")
			p.shows("ann: hi", "bob: hello")
			assert.Empty(t, eval[string](p, hereCount))
			assert.Empty(t, eval[[]string](p, quiet))
			assert.EqualValues(t, 0, told.Load(), "that one types")
		})
	}
}

// refuse answers as the server does when it refuses something.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Pubsub-Error", "test")
	w.WriteHeader(status)
	fmt.Fprint(w, `{"error":"Not here."}`)
}

func withoutPresence(t *testing.T, s *server, status int, told *atomic.Int64) (url string) {
	proxy := httputil.NewSingleHostReverseProxy(s.Site.URL)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // polls that the page ends
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/presence/"):
			if r.Method == http.MethodPost {
				told.Add(1)
			}
			refuse(w, status)
		case strings.Contains(r.URL.Path, ":presence"):
			refuse(w, http.StatusBadRequest)
		default:
			query := r.URL.Query()
			query.Del("presence")
			r.URL.RawQuery = query.Encode()
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// Under a nick that cannot be a name one reads all the same, and is told when one posts.
func TestNickThatIsRefused(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).visitFailing(s.URL, nicked("a\u202enn"))
	p.isConnected()
	assert.Empty(t, s.here("chat"))
	s.awaitListening(1)
	p.tryToSay("hi")
	has(p, true, `document.querySelector("#outbox .do span")?.textContent.startsWith("Not sent: A name has")`)
	p.pends("hi")
}
