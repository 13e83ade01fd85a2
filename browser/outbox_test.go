package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

const typed = "hello\n how are you?\n I am fine\n ok\n"

// What is typed is what the room gets, in order and once, however slow the line is.
func TestSlowLine(t *testing.T) {
	t.Parallel()
	want := strings.Split(strings.TrimSuffix(typed, "\n"), "\n")
	for _, latency := range pubsubtest.Size([]int64{0, 150, 400, 1500}, []int64{400}) {
		t.Run(fmt.Sprint(latency, " ms"), func(t *testing.T) {
			s := startServer(t)
			line := startCutter(t, s.Addr())
			p := startBrowser(t).open(line.url())
			p.takeNick("ann")
			line.delay.Store(latency / 2 * int64(time.Millisecond)) // in each direction
			p.types("#message", typed)                              // faster than a line of 150 ms answers
			becomes(t, want, func() []string { return s.said("chat") })
			p.shows("ann: hello", "ann:  how are you?", "ann:  I am fine", "ann:  ok")
			p.pends()
			assert.Equal(t, want, s.said("chat"))
			has(p, 4, `document.querySelectorAll("#lines .mine").length`)
		})
	}
}

func TestTypedWhileTheServerIsGone(t *testing.T) {
	want := strings.Split(strings.TrimSuffix(typed, "\n"), "\n")
	s := startServer(t)
	b := startBrowser(t)
	p, other := b.open(s.URL), b.open(s.URL)
	p.requestsFail, other.requestsFail = true, true
	p.takeNick("ann")
	require.NoError(t, s.Stop(syscall.SIGTERM))
	p.types("#message", typed)
	p.pends(want...)
	other.pends(want...)
	has(p, "waiting", `delivery.dataset.state`)
	p.screenshot("pending.png")
	p.types("#message", "a draft")
	s.Restart(t)
	becomes(t, want, func() []string { return s.said("chat") })
	p.pends()
	other.pends()
	assert.Equal(t, want, s.said("chat"))
	has(p, "a draft", `message.value`)
}

// A reload loses neither what waits nor what is being written. Each room has its own.
func TestOutboxOutlivesAReload(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	var open atomic.Bool
	address := front(t, s, func(_ int, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		if !open.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	})
	p := b.open(address)
	p.requestsFail = true
	p.takeNick("ann")
	p.types("#message", "one\ntwo\ndraft")
	p.do(chromedp.Reload())
	p.isConnected()
	p.pends("one", "two")
	has(p, "draft", "message.value")
	other := b.open(address + "/?channel=other")
	other.pends()
	has(other, "", "message.value")
	open.Store(true)
	p.toFront()
	p.do(chromedp.Reload())
	p.shows("ann: one", "ann: two")
	p.pends()
	assert.Equal(t, []string{"one", "two"}, s.said("chat"))
}

// The server forgets a key after 5 minutes, so what may have been sent is not sent again by itself.
func TestUnansweredIsAskedAbout(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, `localStorage.getItem("pubsub.nick") ?? localStorage.setItem(
		"pubsub.outbox/chat/1 k", JSON.stringify({key: "k", nick: "ann", message: "long ago", since: Date.now() - 241_000}))`)
	p.pends("long ago")
	p.takeNick("ann")
	p.say2("now", "long ago")
	p.shows("ann: now")
	assert.Equal(t, []string{"now"}, s.said("chat"))
	p.screenshot("doubt.png")
	p.clicks("#outbox button")
	p.shows("ann: now", "ann: long ago")
	p.pends()
}

// say2 says a message while others keep waiting.
func (p *tab) say2(message string, waiting ...string) {
	p.t.Helper()
	p.tryToSay(message)
	p.pends(waiting...)
}

// Two people of one nick are told apart, and what one said stays one's own under another nick.
func TestMineIsWhatISent(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	p := b.open(s.URL)
	p.takeNick("ann")
	p.say("me")
	s.publish("chat", "ann", "not me")
	const mine = `Array.from(document.querySelectorAll("#lines .mine .text"), (e) => e.textContent)`
	p.shows("ann: me", "ann: not me")
	assert.Equal(t, []string{"me"}, eval[[]string](p, mine))
	p.takeNick("bo")
	p.say("me too")
	p.shows("ann: me", "ann: not me", "bo: me too")
	has(p, []string{"me", "me too"}, mine)
	has(b.open(s.URL), []string{"me", "me too"}, mine)
}

func TestNickIsAskedOnce(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	p := b.open(s.URL)
	p.tryToSay("who am I?")
	p.tryToSay("and this?")
	p.pends("who am I?", "and this?")
	p.screenshot("ask.png")
	p.types("#nick", " Ann of Ü \n")
	p.shows(" Ann of Ü : who am I?", " Ann of Ü : and this?")
	other := b.open(s.URL)
	has(other, " Ann of Ü ", "nick.value")

	p = startBrowser(t).open(s.URL)
	p.tryToSay("unnamed")
	p.clicks("#outbox button")
	p.pends()
	p.say("unnamed again")
	assert.Equal(t, []string{"who am I?", "and this?", "unnamed", "unnamed again"}, s.said("chat"))
}

// A tab that was open before there was a nick neither speaks without it nor forgets it.
func TestTabsAgreeOnTheNick(t *testing.T) {
	s := startServer(t)
	b := startBrowser(t)
	first, second := b.open(s.URL), b.open(s.URL)
	first.takeNick("ann")
	has(second, "ann", "nick.value")
	eval[string](second, "nick.value = ''")
	second.say("from the second")
	second.shows("ann: from the second")
	has(first, "ann", "nick.value")
	assert.Equal(t, "ann", eval[string](first, `localStorage.getItem("pubsub.nick")`))
}

// While the scripts of the page are on their way, Enter breaks the line: nothing is posted, and the page stays.
func TestTypedBeforeTheScripts(t *testing.T) {
	s := startServer(t)
	scripts, allow := context.WithCancel(t.Context())
	proxy := httputil.NewSingleHostReverseProxy(s.Site.URL)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // polls that the page ends
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".js") {
			<-scripts.Done()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(allow)
	p := startBrowser(t).visit("about:blank")
	call(p, page.Navigate, page.NavigateParams{URL: slow.URL})
	has(p, true, `document.querySelector("#send") !== null`)
	p.types("#message", "one\ntwo")
	has(p, "one\ntwo", "message.value")
	assert.Equal(t, slow.URL+"/", eval[string](p, "location.href"))
	allow()
	p.isConnected()
	has(p, "one\ntwo", "message.value")
	p.takeNick("ann")
	p.tryToSay("")
	p.shows("ann: one\ntwo")
	assert.Equal(t, []string{"one\ntwo"}, s.said("chat"))
}

func TestSeveralLines(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.takeNick("ann")
	low := eval[float64](p, "message.offsetHeight")
	p.clicks("#message")
	p.do(chromedp.KeyEvent("one"), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent("two"))
	has(p, "one\ntwo", "message.value")
	assert.Greater(t, eval[float64](p, "message.offsetHeight"), low+10)
	call(p, input.InsertText, input.InsertTextParams{Text: "\nif x {\n\ty()\n}"})
	p.do(chromedp.KeyEvent(kb.Enter))
	p.shows("ann: one\ntwo\nif x {\n\ty()\n}")
	has(p, low, "message.offsetHeight")
}

func TestSendsWithoutStorage(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL, `for (const name of ["getItem", "setItem", "removeItem"]) {
		Storage.prototype[name] = () => { throw new DOMException("off", "SecurityError"); };
	}`)
	p.takeNick("ann")
	p.types("#message", "one\ntwo\n")
	p.shows("ann: one", "ann: two")
	p.pends()
	has(p, 2, `document.querySelectorAll("#lines .mine").length`)
}

// What one sends is in view, also what waits for a nick while one reads far above. A nick that is emptied is asked for
// again, and what waits for a person is read out.
func TestSendingShowsWhatWaits(t *testing.T) {
	s := startServer(t)
	for i := range 60 {
		s.publish("chat", "bo", fmt.Sprint(i))
	}
	p := startBrowser(t).open(s.URL)
	has(p, 50, "lines.childElementCount")
	const inView = `(({top, bottom} = {}) => top >= 0 && bottom <= conversation.getBoundingClientRect().bottom)
		([...document.querySelectorAll("#outbox .pending, #lines .mine")].at(-1)?.getBoundingClientRect())`
	away := func() { has(p, true, `(conversation.scrollTop = 500, !(`+inView+`))`) }
	eval[int](p, "conversation.scrollTop = 500")
	p.tryToSay("hello")
	p.pends("hello")
	has(p, true, inView)
	has(p, true, `document.querySelector("#outbox [role=alert]").textContent.startsWith("Who says this?")`)
	away()
	p.takeNick("ann\n")
	p.pends()
	assert.Equal(t, "hello", s.said("chat")[60])
	away()
	p.tryToSay("again")
	has(p, "again", texts+".at(-1)")
	has(p, true, inView)

	eval[any](p, "void nick.select()")
	p.types("#nick", "\b")
	p.tryToSay("nobody")
	p.pends("nobody")
	has(p, true, `document.querySelector("#outbox [role=alert]").textContent.startsWith("Who says this?")`)
}
