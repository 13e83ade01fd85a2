package browser_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

func TestTwoBrowsersChat(t *testing.T) {
	s := startServer(t)
	ann := startBrowser(t).open(s.URL)
	bo := startBrowser(t).open(s.URL)

	ann.takeNick("ann")
	ann.say("hello, who is there?")
	bo.shows("ann: hello, who is there?")

	bo.takeNick("bo")
	bo.presses("#message", "me: ü €😀")
	bo.clicks("#send")
	for _, p := range []*tab{ann, bo} {
		p.shows("ann: hello, who is there?", "bo: me: ü €😀")
	}
	has(ann, []string{"hello, who is there?"},
		`Array.from(document.querySelectorAll(".mine .text"), (e) => e.textContent)`)
	has(ann, []bool{true, true},
		`Array.from(document.querySelectorAll("time"), (e) => Date.now() - new Date(e.dateTime) < 60_000)`)
}

// What a screen reader says of the page's parts, and what the keyboard reaches.
func TestKeyboardAndScreenReader(t *testing.T) {
	s := startServer(t)
	s.publish("chat", "ann", "hi")
	p := startBrowser(t).open(s.URL)
	roles := []string{"log", "status", "textbox", "button", "heading"}
	var parts []string
	for _, node := range call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if role := text(node.Role); !node.Ignored && slices.Contains(roles, role) {
			parts = append(parts, strings.TrimSpace(role+" "+text(node.Name)))
		}
	}
	assert.ElementsMatch(t, []string{
		"heading chat", "status", "log Messages", "textbox Nick", "textbox Message", "button Send", "status", "status",
	}, parts)

	p.clicks("#nick")
	p.do(chromedp.KeyEvent("bo" + kb.Tab + "by keyboard" + kb.Tab + " "))
	p.shows("ann: hi", "bo: by keyboard")

	// It names who said what, also where that does not stand on the screen.
	s.publish("chat", "bo", "from elsewhere")
	s.publish("chat", "bo", "and again")
	p.shows("ann: hi", "bo: by keyboard", "bo: from elsewhere", "bo: and again")
	var said []string
	for _, node := range call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if words := text(node.Name); text(node.Role) == "StaticText" && slices.Contains([]string{"ann", "hi", "bo", "by keyboard", "from elsewhere", "and again"}, words) {
			said = append(said, words)
		}
	}
	assert.Contains(t, strings.Join(said, ", "), "ann, hi, bo, by keyboard, bo, from elsewhere, bo, and again")
	shown := `Array.from(document.querySelectorAll("#lines .nick")).filter((e) => e.offsetWidth > 0).map((e) => e.textContent)`
	has(p, []string{"ann", "bo"}, shown)
}

func text(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	return strings.Trim(string(value.Value), `"`)
}

func TestNickIsRemembered(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	b := startBrowser(t)
	p := b.open(s.URL)
	p.takeNick("ann")
	p.say("hi")
	p.shows("ann: hi")
	p.do(chromedp.Reload())
	p.shows("ann: hi")
	assert.Equal(t, "ann", eval[string](p, "nick.value"))
	assert.Equal(t, "ann", eval[string](b.open(s.URL), "nick.value"))
}

// A browser that has been here asks for the page, and has all that belongs to it.
func TestSecondVisitAsksForOneDocument(t *testing.T) {
	const fromNetwork = `performance.getEntriesByType("resource")
		.filter((e) => e.initiatorType !== "fetch" && e.transferSize > 0).map((e) => new URL(e.name).pathname.split("/").pop()).sort()`
	const loaded = `performance.getEntriesByType("resource").filter((e) => e.initiatorType !== "fetch").length`
	s := startServer(t)
	b := startBrowser(t)
	p := b.open(s.URL)
	first := eval[[]string](p, fromNetwork)
	assert.Contains(t, first, "pubsub.css")
	assert.Contains(t, first, "wait.js")
	assert.GreaterOrEqual(t, len(first), 10)
	p = b.open(s.URL + "/?channel=other")
	assert.GreaterOrEqual(t, eval[int](p, loaded), 10)
	for _, again := range eval[[]string](p, fromNetwork) { // what the first visit had no use for comes now
		assert.NotContains(t, first, again)
	}
}

func TestOpensWithTheLast50(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	for i := range 60 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	p := startBrowser(t).open(s.URL)
	var want []string
	for i := 10; i < 60; i++ {
		want = append(want, fmt.Sprintf("ann: %d", i))
	}
	p.shows(want...)
	has(p, true, `conversation.scrollHeight - conversation.scrollTop - conversation.clientHeight < 2`)
}

func TestThreeTabsOfOneBrowserGetEveryMessage(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	b := startBrowser(t)
	tabs := []*tab{b.open(s.URL), b.open(s.URL), b.open(s.URL)}
	for _, p := range tabs {
		p.shows(publishTen(s, tabs[0] == p)...)
	}
}

// publishTen posts the messages 0 to 9, if it is the first time, and returns the lines they make.
func publishTen(s *server, first bool) (lines []string) {
	s.t.Helper()
	for i := range 10 {
		if first {
			s.publish("chat", "ann", fmt.Sprint(i))
		}
		lines = append(lines, fmt.Sprintf("ann: %d", i))
	}
	return lines
}

// A browser opens six connections to a host, so more tabs than that would stop each other, and all posts.
func TestManyTabsShareOneConnection(t *testing.T) {
	s := startServer(t)
	b := startWindow(t)
	var tabs []*tab
	n := pubsubtest.Size(12, 8)
	room := func(i int) string { return fmt.Sprintf("room%d", i%(n/2)) }
	for i := range n {
		tabs = append(tabs, b.open(s.URL+"/?channel="+room(i)))
	}
	s.awaitListening(1)
	want := make(map[string][]string)
	say := func(to, nick, message string) { want[to] = append(want[to], nick+": "+message) }
	for i := range n {
		s.publish(room(i), "ann", fmt.Sprint(i))
		say(room(i), "ann", fmt.Sprint(i))
	}
	for i, p := range tabs {
		p.shows(want[room(i)]...)
	}
	s.awaitListening(1)

	last := room(n - 1)
	eval[any](tabs[n-1], fmt.Sprintf(`fetch("/pub/%s", {method: "POST", body: new URLSearchParams({nick: "bo", message: "from a page"})}).then(() => 0)`, last))
	say(last, "bo", "from a page")
	tabs[n/2-1].shows(want[last]...)
}

// Tabs queue to lead in the order they were opened, so the first one is always the one that leads.
func TestLeadingTabCloses(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	var tabs []*tab
	for range pubsubtest.Size(4, 3) {
		tabs = append(tabs, b.open(s.URL))
	}
	var want []string
	publish := func(message string) {
		s.publish("chat", "ann", message)
		want = append(want, "ann: "+message)
	}
	for len(tabs) > 1 {
		s.awaitListening(1)
		publish(fmt.Sprintf("%d tabs, before", len(tabs)))
		tabs[0].close()
		tabs = tabs[1:]
		publish(fmt.Sprintf("%d tabs, after", len(tabs)))
		for _, p := range tabs {
			p.shows(want...)
		}
	}
}

// A tab that did not hear what the polling tab shared asks for it by itself.
func TestTabThatMissedWhatWasShared(t *testing.T) {
	s := startServer(t)
	b := startHiding(t)
	polling := b.open(s.URL)
	deaf := b.open(s.URL, `var deaf = false;
		window.BroadcastChannel = class extends BroadcastChannel {
			set onmessage(hear) { super.onmessage = (event) => deaf || hear(event); }
		};`)
	s.publish("chat", "ann", "heard")
	deaf.shows("ann: heard")
	eval[bool](deaf, "deaf = true")
	s.publish("chat", "ann", "missed")
	polling.shows("ann: heard", "ann: missed")
	deaf.shows("ann: heard")
	eval[bool](deaf, "deaf = false")
	s.publish("chat", "ann", "heard again")
	deaf.shows("ann: heard", "ann: missed", "ann: heard again")
}

// Plain http other than localhost has no Web Locks: each tab listens for itself.
func TestTabsWithoutSecureContext(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	home := strings.Replace(s.URL, "127.0.0.1", "pubsub.test", 1)
	// A WebSocket may make room for one with more rooms before it is open.
	tabs := []*tab{b.visitFailing(home), b.visitFailing(home)}
	if !testing.Short() {
		tabs = append(tabs, b.visitFailing(home))
	}
	for _, p := range tabs {
		p.isConnected()
	}
	require.False(t, eval[bool](tabs[0], "isSecureContext"))
	s.awaitListening(len(tabs))
	tabs[1].takeNick("ann")
	tabs[1].say("hi")
	for _, p := range tabs {
		p.shows("ann: hi")
	}
}

func TestOffline(t *testing.T) {
	s := startServer(t)
	line := startCutter(t, s.Addr())
	p := startBrowser(t).open(line.url())
	p.takeNick("bo")
	s.publish("chat", "ann", "before")
	p.shows("ann: before")

	p.cutNetwork(line, true)
	has(p, "Offline.", `document.querySelector("#connection .words").textContent`)
	want := []string{"ann: before"}
	for i := range 5 {
		s.publish("chat", "ann", fmt.Sprint(i))
		want = append(want, fmt.Sprintf("ann: %d", i))
	}
	p.tryToSay("written offline")
	has(p, "waiting", `delivery.dataset.state`)
	p.pends("written offline")
	p.shows("ann: before")

	p.cutNetwork(line, false)
	p.isConnected()
	p.pends()
	p.shows(append(want, "bo: written offline")...)
}

// A tab that sleeps does not run. It is the one that polls, so that another must take over.
func TestSleep(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	sleeper, other := b.open(s.URL), b.open(s.URL)
	call(sleeper, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen})
	want := []string{"ann: 0", "ann: 1", "ann: 2"}
	for i := range want {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	other.shows(want...)
	call(sleeper, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateActive})
	sleeper.shows(want...)
	s.awaitListening(1)
}

func TestServerRestarts(t *testing.T) {
	s := startServer(t)
	b := startWindow(t)
	tabs := []*tab{b.open(s.URL), b.open(s.URL)}
	s.publish("chat", "ann", "before")
	for _, p := range tabs {
		p.requestsFail = true
		p.shows("ann: before")
	}

	require.NoError(t, s.Stop(syscall.SIGTERM))
	for _, p := range tabs {
		has(p, "Reconnecting.", `document.querySelector("#connection .words").textContent`)
	}
	tabs[1].takeNick("bo")
	tabs[1].tryToSay("written while it was down")
	has(tabs[1], "waiting", `delivery.dataset.state`)

	tabs[1].screenshot("reconnecting.png")
	s.Restart(t)
	want := []string{
		"ann: before",
		"— The server was restarted: messages may be missing here",
		"bo: written while it was down",
	}
	for _, p := range tabs {
		p.isConnected()
		p.shows(want...)
	}
	tabs[1].screenshot("restarted.png")
	s.publish("chat", "ann", "after")
	for _, p := range tabs {
		p.shows(append(want, "ann: after")...)
	}
}

func TestScriptStaysText(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	const script = `<img src=x onerror="document.title='hit'"><script>document.title='hit'</script>`
	p.takeNick(script[:40])
	p.say(script)
	s.publish("chat", script, script)
	p.shows(script[:40]+": "+script, script+": "+script)
	assert.Equal(t, 0, eval[int](p, `document.querySelectorAll("#conversation img, #conversation script").length`))
	assert.Equal(t, "chat · pubsub", eval[string](p, "document.title"))
}

// Other programs post any JSON.
func TestUnusualMessages(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	var want []string
	for _, c := range []struct {
		path string
		post any
		line string
	}{
		{"/pub/chat", map[string]any{"message": "no nick"}, "unknown: no nick"},
		{"/pub/chat", map[string]any{"nick": "مريم", "message": "two\nlines"}, "مريم: two\nlines"},
		{"/publish/chat", map[string]any{"message": 42}, "unknown: 42"},
		{"/api/publish/chat", map[string]any{"nick": 7, "message": []int{1, 2}}, "7: [1,2]"},
		{"/api/publish/chat", map[string]any{"temperature": 21.5}, `unknown: {"temperature":21.5}`},
	} {
		a := s.post(c.path, c.post)
		require.Equal(t, http.StatusOK, a.Status, a.Body)
		want = append(want, c.line)
	}
	p.shows(want...)
	assert.Equal(t, 3, eval[int](p, `document.querySelectorAll(".nick.unknown").length`))
	has(p, 0, `document.getAnimations().length`)
	p.screenshot("unusual.png")
}

func TestRefusedMessageStays(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.requestsFail = true
	long := strings.Repeat("x", 20_000)
	a := s.post("/pub/chat", map[string]any{"message": long})
	require.Equal(t, http.StatusRequestEntityTooLarge, a.Status)
	var refusal struct{ Error string }
	require.NoError(t, json.Unmarshal([]byte(a.Body), &refusal))
	require.NotEmpty(t, refusal.Error)

	p.takeNick("ann")
	p.do(chromedp.SetValue(chromedp.CSS("#message"), long))
	p.tryToSay("!")
	has(p, "Not sent: "+refusal.Error, `document.querySelector("#outbox .do span")?.textContent`)
	p.pends(long + "!")
	p.screenshot("refused.png")

	p.tryToSay("short")
	p.shows("ann: short")
	p.pends(long + "!")
	p.clicks("#outbox button:last-child")
	p.pends()
	has(p, long+"!", "message.value")
}

// post answers a post that came to a proxy, which knows how many came before it.
type post func(before int, w http.ResponseWriter, r *http.Request, forward http.Handler)

// front is a proxy before the server. It leaves posts to a handler.
func front(t *testing.T, s *server, post post) (url string) {
	t.Helper()
	target, err := neturl.Parse(s.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // polls that the page ends
	// What the page does that such a policy forbids would be in the console.
	proxy.ModifyResponse = func(resp *http.Response) error {
		resp.Header.Set("Content-Security-Policy", "default-src 'self'")
		return nil
	}
	var posts atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/pub/") {
			proxy.ServeHTTP(w, r)
			return
		}
		post(int(posts.Add(1))-1, w, r, proxy)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// The message arrives, the answer that says so does not: the page must ask again, and not post twice.
func TestLostAnswer(t *testing.T) {
	s := startServer(t)
	keys := make(chan string, 10)
	p := startBrowser(t).open(front(t, s, func(before int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		keys <- r.Header.Get("Idempotency-Key")
		if before < 3 {
			answer := httptest.NewRecorder()
			forward.ServeHTTP(answer, r)
			// Without a first byte of the answer, Chromium itself would ask again, unseen by the page.
			w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
			w.Write(answer.Body.Bytes()[:1])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		forward.ServeHTTP(w, r)
	}))
	p.requestsFail = true
	p.takeNick("ann")
	p.say("once")
	require.Len(t, keys, 4)
	first := <-keys
	assert.NotEmpty(t, first)
	for range 3 {
		assert.Equal(t, first, <-keys)
	}
	p.say("end")
	p.shows("ann: once", "ann: end")
	assert.NotEqual(t, first, <-keys)
}

// A server that asks for a pause gets it, and then the message.
func TestBusyServer(t *testing.T) {
	s := startServer(t)
	const busy = "Too many messages from this address: wait a second."
	var refused, repeated atomic.Int64
	p := startBrowser(t).open(front(t, s, func(before int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if before == 0 {
			refused.Store(time.Now().UnixNano())
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Pubsub-Error", "publish-rate")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprintf(w, `{"error": %q}`, busy)
			return
		}
		repeated.Store(time.Now().UnixNano())
		forward.ServeHTTP(w, r)
	}))
	p.requestsFail = true
	p.takeNick("ann")
	p.tryToSay("patience")
	has(p, "Not sent yet. "+busy, `delivery.querySelector(".words").textContent`)
	p.shows("ann: patience")
	assert.GreaterOrEqual(t, time.Duration(repeated.Load()-refused.Load()), time.Second)
}

// Where the server no longer has all, the page says how much is missing.
func TestMissedMessages(t *testing.T) {
	s := startServer(t, "PUBSUB_HISTORY_MESSAGES=3")
	line := startCutter(t, s.Addr())
	p := startBrowser(t).open(line.url())
	s.publish("chat", "ann", "before")
	p.shows("ann: before")
	p.cutNetwork(line, true)
	has(p, "Offline.", `document.querySelector("#connection .words").textContent`)
	for i := range 15 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	p.cutNetwork(line, false)
	p.shows("ann: before", "— 12 messages were missed", "ann: 12", "ann: 13", "ann: 14")
}

// The oldest lines go when there are 1,200, 200 at a time or more. What has gone comes again as one scrolls up, also
// where it went in the middle of what came together.
func TestKeepsTheLast1000Lines(t *testing.T) {
	const total = 1250
	s := startServer(t, fmt.Sprintf("PUBSUB_HISTORY_MESSAGES=%d", total))
	line := startCutter(t, s.Addr())
	p := startBrowser(t).open(line.url())
	p.cutNetwork(line, true)
	has(p, "Offline.", `document.querySelector("#connection .words").textContent`)
	for i := range total {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	p.cutNetwork(line, false)
	has(p, fmt.Sprint(total-1), `document.querySelector("#lines > :last-child .text")?.textContent ?? ""`)
	kept := eval[int](p, "lines.childElementCount")
	assert.GreaterOrEqual(t, kept, 1000)
	assert.Less(t, kept, 1200)
	assert.Equal(t, fmt.Sprint(total-kept), eval[string](p, `document.querySelector("#conversation .text").textContent`))
	has(p, "0", `conversation.scrollTop = 0, document.querySelector("#conversation .text").textContent`)
	assert.Equal(t, total, eval[int](p, "lines.childElementCount"))
}

// What is typed while a message is on its way stays.
func TestTypingGoesOn(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	line := startCutter(t, s.Addr())
	p := startBrowser(t).open(line.url())
	p.takeNick("ann")
	p.cutNetwork(line, true)
	p.tryToSay("first")
	has(p, "waiting", `delivery.dataset.state`)
	p.types("#message", "second")
	p.cutNetwork(line, false)
	p.shows("ann: first")
	has(p, "second", "message.value")
}

func TestRooms(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	b := startBrowser(t)
	chat, lobby := b.open(s.URL), b.open(s.URL+"/?channel=lobby")
	has(lobby, "lobby · pubsub", "document.title")
	has(lobby, "lobby", `document.querySelector("h1").textContent`)

	lobby.takeNick("ann")
	lobby.say("in the lobby")
	lobby.shows("ann: in the lobby")
	s.publish("chat", "bo", "in the chat")
	chat.shows("bo: in the chat")
	lobby.shows("ann: in the lobby")

	chat.clicks("summary")
	chat.types("#channel", "lobby\n")
	has(chat, "lobby · pubsub", "document.title")
	chat.shows("ann: in the lobby")

	s.publish("chat", "bo", "while away")
	eval[any](chat, "history.back()")
	has(chat, "chat · pubsub", "document.title")
	chat.shows("bo: in the chat", "bo: while away")
}

func TestUnreadInTitle(t *testing.T) {
	s := startServer(t)
	b := startWindow(t)
	s.publish("chat", "ann", "old")
	p := b.open(s.URL)
	b.open(s.URL + "/?channel=other")
	has(p, true, "document.hidden")
	s.publish("chat", "ann", "1")
	s.publish("chat", "ann", "2")
	has(p, "(2) chat · pubsub", "document.title")
	p.toFront()
	has(p, "chat · pubsub", "document.title")
}

// What tells of unread messages is loaded with the first of them, and the network may be gone then.
func TestUnreadWithoutANetwork(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	b := startHiding(t)
	var asked, network atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(s.Site.URL)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // polls that the page ends
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/announce.js") && !network.Load() {
			asked.Store(true)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p := b.open(front.URL)
	p.requestsFail = true
	b.open(front.URL + "/?channel=other")
	has(p, true, "document.hidden")
	s.publish("chat", "ann", "1")
	p.shows("ann: 1")
	becomes(t, true, asked.Load)
	has(p, true, `performance.getEntriesByName(new URL("announce.js", document.querySelector("script[type=module]").src)).length > 0`)
	network.Store(true)
	s.publish("chat", "ann", "2")
	has(p, "(2) chat · pubsub", "document.title")
}

func TestScrollsOnlyAtTheEnd(t *testing.T) {
	s := startServer(t)
	for i := range 50 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	const atEnd = `conversation.scrollHeight - conversation.scrollTop - conversation.clientHeight < 2`
	p := startBrowser(t).open(s.URL)
	has(p, true, atEnd)
	s.publish("chat", "ann", "at the end")
	has(p, 51, `lines.childElementCount`)
	has(p, true, atEnd)

	eval[int](p, `conversation.scrollTop = 100`)
	has(p, true, `new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(() => seen(true))))`)
	s.publish("chat", "ann", "while reading above")
	has(p, "1 new message", `hint.textContent`)
	assert.Equal(t, 100, eval[int](p, `conversation.scrollTop`))
	p.screenshot("hint.png")
	p.clicks("#hint")
	has(p, true, atEnd)
	has(p, true, `hint.hidden`)
}
