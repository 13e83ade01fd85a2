package browser_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const texts = `Array.from(document.querySelectorAll("#lines .text"), (e) => e.textContent)`

// The page keeps as many messages as the log, so that those after a gap once pushed its note out.
func TestGapNoteStays(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	line := startCutter(t, s.Addr())
	p := startBrowser(t).open(line.url())
	s.publish("chat", "ann", "before")
	p.shows("ann: before")
	p.cutNetwork(line, true)
	has(p, "Offline.", `document.querySelector("#connection .words").textContent`)
	for i := range 1500 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	p.cutNetwork(line, false)
	has(p, "1499", `document.querySelector("#lines > :last-child .text").textContent`)
	has(p, "500 messages were missed", `document.querySelector("#lines .gap")?.textContent ?? ""`)
	s.publish("chat", "ann", "after")
	has(p, "after", `document.querySelector("#lines > :last-child .text").textContent`)
	assert.Equal(t, "500 messages were missed", eval[string](p, `document.querySelector("#lines .gap")?.textContent`))
}

func TestSaysThatMessagesExpired(t *testing.T) {
	s := startServer(t, "PUBSUB_HISTORY_AGE=1s")
	b := startBrowser(t)
	for i := range 3 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	becomes(t, nil, func() []string { return s.said("chat") })
	has(b.open(s.URL), "3 messages were said here. They have expired.", `document.querySelector("#empty strong").textContent`)
	has(b.open(s.URL+"/?channel=never"), "Nobody has said anything yet.", `document.querySelector("#empty strong").textContent`)
}

// What one reads stays where it is while older messages come in above it.
func TestOlderMessages(t *testing.T) {
	s := startServer(t)
	for i := range 300 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	p := startBrowser(t).open(s.URL)
	has(p, 50, "lines.childElementCount")
	moved := eval[float64](p, `(async () => {
		conversation.scrollTop = 350;
		const line = document.querySelector("#lines > :nth-child(10)");
		const before = line.getBoundingClientRect().top;
		while (lines.childElementCount === 50) await new Promise(requestAnimationFrame);
		return Math.abs(line.getBoundingClientRect().top - before);
	})()`)
	assert.LessOrEqual(t, moved, 1.0, "pixels")
	for range 10 {
		eval[int](p, "conversation.scrollTop = 0")
		if eval[string](p, "older.textContent") != "" {
			break
		}
	}
	has(p, "Here it began.", "older.textContent || (conversation.scrollTop = 0, '')")
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i))
	}
	has(p, want, texts)
}

// Older messages that come page by page have a separator between any two days, also where two pages meet.
func TestDaysOfOlderMessages(t *testing.T) {
	const earlier = `const json = Response.prototype.json;
		Response.prototype.json = async function () {
			const page = await json.call(this);
			// The page opens with those from 251 on, and loads those from 152 and from 53 on.
			for (const message of page.messages ?? []) message.timestamp -= 86400 * [251, 152, 61].filter((id) => message.id < id).length;
			return page;
		};`
	s := startServer(t)
	for i := range 300 {
		s.publish("chat", "ann", fmt.Sprint(i+1))
	}
	p := startBrowser(t).open(s.URL, earlier)
	has(p, "Here it began.", "older.textContent || (conversation.scrollTop = 0, '')")
	assert.Equal(t, 304, eval[int](p, "lines.childElementCount"))
	const days = `Array.from(document.querySelectorAll("#lines .day"), (day) => {
		const next = day.nextElementSibling;
		const when = new Date(next.querySelector("time").dateTime).toLocaleDateString(undefined, {weekday: "long", day: "numeric", month: "long"});
		return next.querySelector(".text").textContent + (day.textContent === when ? "" : " is of " + when + ", not of " + day.textContent);
	})`
	assert.Equal(t, []string{"1", "61", "152", "251"}, eval[[]string](p, days))
}

func TestNewSinceYouLeft(t *testing.T) {
	s := startServer(t)
	b := startHiding(t)
	const around = `[document.querySelector(".new")?.previousElementSibling, document.querySelector(".new")?.nextElementSibling]
		.map((e) => e?.querySelector(".text").textContent ?? "")`
	p := b.open(s.URL)
	s.publish("chat", "ann", "seen")
	p.shows("ann: seen")
	has(p, true, `localStorage.getItem("pubsub.seen/chat") !== null`)
	p.close()
	s.publish("chat", "ann", "new")
	s.publish("chat", "ann", "newer")
	p = b.open(s.URL)
	p.shows("ann: seen", "ann: new", "ann: newer")
	has(p, []string{"seen", "new"}, around)
	p.screenshot("new.png")

	b.open(s.URL + "/?channel=other")
	has(p, true, "document.hidden")
	s.publish("chat", "ann", "while hidden")
	has(p, []string{"newer", "while hidden"}, around)
	assert.Equal(t, 1, eval[int](p, `document.querySelectorAll(".new").length`))
}

// A room is changed without loading the page, over the same connection, and tells what came there unseen.
func TestUnreadAndRooms(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	eval[int](p, "window.loaded = 1")
	p.takeNick("ann")
	p.say("hi")
	go2 := func(room string) {
		p.clicks("summary")
		p.types("#channel", room+"\n")
		has(p, room+" · pubsub", "document.title")
		p.isConnected()
	}
	go2("lobby")
	p.shows()
	p.say("in the lobby")
	s.awaitListening(1)
	s.publish("chat", "bo", "1")
	s.publish("chat", "bo", "2")
	s.publish("elsewhere", "bo", "3")
	has(p, "2 unread in other rooms", `document.querySelector("summary .badge").textContent`)
	p.clicks("summary")
	has(p, []string{"lobby", "chat 2 unread"}, `Array.from(document.querySelectorAll(".mine-rooms a"), (e) => e.textContent)`)
	has(p, []string{"elsewhere"}, `Array.from(document.querySelectorAll(".all-rooms a"), (e) => e.textContent)`)
	p.screenshot("rooms-list.png")
	p.clicks(`.mine-rooms a[href$=chat]`)
	p.shows("ann: hi", "bo: 1", "bo: 2")
	has(p, true, `document.querySelector("summary .badge").hidden`)
	assert.Equal(t, s.URL+"/?channel=chat", eval[string](p, "location.href"))
	p.say("back")
	assert.Equal(t, []string{"in the lobby"}, s.said("lobby"))
	eval[any](p, "history.back()")
	has(p, "lobby · pubsub", "document.title")
	p.shows("ann: in the lobby")
	assert.Equal(t, 1, eval[int](p, "window.loaded"), "the page was loaded anew")
	s.awaitListening(1)
}

func TestColoursOfNicks(t *testing.T) {
	s := startServer(t)
	for i := range 10 {
		s.publish("chat", fmt.Sprint("guest", i), "hi")
	}
	p := startBrowser(t).open(s.URL)
	nearest := eval[float64](p, `(() => {
		const hues = Array.from(document.querySelectorAll(".line"), (e) => Number(e.style.getPropertyValue("--hue"))).sort((a, b) => a - b);
		return Math.min(...hues.map((hue, i) => ((hues[(i + 1) % hues.length] - hue) + 360) % 360));
	})()`)
	assert.Greater(t, nearest, 15.0, "degrees")
	p.screenshot("colours.png")
}

func TestTextIsRich(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.takeNick("ann")
	s.publish("chat", "bo", "See https://example.test/a_(b)?c=1. And `x < y`, ann! Not anna.")
	s.publish("chat", "bo", "```go\nif x {\n\ty()\n}\n```")
	s.publish("chat", "bo", "javascript:alert(1) <a href=x>")
	has(p, 3, `document.querySelectorAll("#lines .line").length`)
	assert.Equal(t, []string{"https://example.test/a_(b)?c=1 noopener noreferrer"},
		eval[[]string](p, `Array.from(document.querySelectorAll("#lines a"), (e) => e.href + " " + e.rel)`))
	assert.Equal(t, []string{"x < y", "if x {\n\ty()\n}"}, eval[[]string](p, `Array.from(document.querySelectorAll("#lines code"), (e) => e.textContent)`))
	assert.Equal(t, []string{"ann"}, eval[[]string](p, `Array.from(document.querySelectorAll("#lines mark"), (e) => e.textContent)`))
	p.screenshot("rich.png")
}

func TestLongMessageFolds(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	s.publish("chat", "bo", strings.TrimSuffix(strings.Repeat("line\n", 300), "\n"))
	has(p, "Show all 300 lines", `document.querySelector(".unfold")?.textContent ?? ""`)
	assert.Less(t, eval[int](p, `document.querySelector(".line").offsetHeight`), 400)
	p.clicks(".unfold")
	has(p, true, `document.querySelector(".line").offsetHeight > 4000`)
	has(p, "Show less", `document.querySelector(".unfold").textContent`)
}

// Names are notified of where the page is allowed to, and only while nobody looks.
func TestNoticeOfMyName(t *testing.T) {
	s := startServer(t)
	b := startHiding(t)
	p := b.open(s.URL, `window.notices = []; window.Notification = class extends EventTarget {
		static permission = "granted";
		constructor(title, {body}) { super(); notices.push(title + ": " + body); }
	}`)
	p.takeNick("ann")
	s.publish("chat", "bo", "ann, I see you look")
	p.shows("bo: ann, I see you look")
	b.open(s.URL + "/?channel=other")
	has(p, true, "document.hidden")
	s.publish("chat", "bo", "to nobody")
	s.publish("chat", "bo", "to Ann")
	has(p, []string{"bo in chat: to Ann"}, "notices")
}

// A flood is neither animated nor read out line by line, but summed up.
func TestFlood(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	s.publish("chat", "bo", "alone")
	has(p, "polite", `lines.getAttribute("aria-live")`)
	for i := range 40 {
		s.publish("chat", "bo", fmt.Sprint(i))
	}
	has(p, "off", `lines.getAttribute("aria-live")`)
	has(p, "none", `getComputedStyle(document.querySelector("#lines > :last-child")).animationName`)
	has(p, true, `/^\d+ new messages$/.test(summary.textContent)`)
}

func TestPrintHasTheWholeConversation(t *testing.T) {
	s := startServer(t)
	for i := range 50 {
		s.publish("chat", "ann", fmt.Sprintf("message %d", i))
	}
	p := startBrowser(t).open(s.URL)
	pdf := call(p, page.PrintToPDF, page.PrintToPDFParams{})
	require.NotEmpty(t, pdf.Data)
	pages := strings.Count(string(pdf.Data), "/Type /Page\n")
	assert.GreaterOrEqual(t, pages, 2)
	assert.LessOrEqual(t, pages, 4)
}

func TestCopyAsText(t *testing.T) {
	s := startServer(t)
	s.publish("chat", "ann", "one\ntwo")
	s.publish("chat", "bo", "three")
	p := startBrowser(t).open(s.URL, `navigator.clipboard.writeText = async (text) => { window.copied = text; }`)
	p.opensMenu()
	p.clicks("#copy")
	has(p, true, `/^\[.+\] ann: one\ntwo\n\[.+\] bo: three$/.test(window.copied)`)
}

func TestTryNow(t *testing.T) {
	s := startServer(t)
	line := startCutter(t, s.Addr())
	p := startBrowser(t).open(line.url())
	assert.Equal(t, "none", eval[string](p, "getComputedStyle(retry).display"))
	p.cutNetwork(line, true)
	has(p, true, `getComputedStyle(retry).display !== "none"`)
	p.clicks("#retry")
	p.cutNetwork(line, false)
	p.isConnected()
}

// An address ends where its sentence, its brackets or its script do.
func TestWhereALinkEnds(t *testing.T) {
	s := startServer(t)
	var want []string
	for _, c := range [][2]string{
		{"https://example.com/北京", "https://example.com/北京"},
		{"看 https://example.com/北京。然后", "https://example.com/北京"},
		{"（见 https://example.com/a）然后", "https://example.com/a"},
		{"「https://example.com/a」と", "https://example.com/a"},
		{"HTTPS://EXAMPLE.COM/A!", "HTTPS://EXAMPLE.COM/A"},
		{"(https://example.com/a_(b)) c", "https://example.com/a_(b)"},
		{"[https://example.com/?a[]=1]", "https://example.com/?a[]=1"},
		{"“https://example.com/a”, »https://example.com/b/«…", "https://example.com/a https://example.com/b/"},
		{"https://example.com/a؟ https://example.com/b।", "https://example.com/a https://example.com/b"},
		{"https://… and https://)", ""},
	} {
		s.publish("chat", "bo", c[0])
		want = append(want, c[1])
	}
	p := startBrowser(t).open(s.URL)
	has(p, want, `Array.from(document.querySelectorAll("#lines .text"), (e) => Array.from(e.querySelectorAll("a"), (a) => a.textContent).join(" "))`)
}

// A message of thousands of parts stops nobody's page: most of it is plain text.
func TestMessageOfManyParts(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.takeNick("ann")
	for _, part := range []string{"`a`", "ann ", "https://a.test/ "} {
		s.publish("chat", "bo", strings.Repeat(part, 900))
	}
	has(p, 3, `document.querySelectorAll("#lines .line").length`)
	assert.Less(t, eval[int](p, `document.querySelectorAll("#lines .text *").length`), 1500)
	assert.Equal(t, []int{900, 900 * 4, 900 * 16}, eval[[]int](p, texts+`.map((text) => text.replaceAll("`+"`"+`", "").length)`), "nothing is left out")
}

// Enter that ends a word of an input method sends nothing, also as Safari tells of it: after the composition.
func TestInputMethodSendsNothing(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.takeNick("ann")
	const press = `((id, how) => {
		const field = document.getElementById(id);
		field.focus();
		field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true, ...how}));
		return document.activeElement.id;
	})`
	eval[string](p, `message.value = "にほん"`)
	for _, how := range []string{"{keyCode: 229}", "{isComposing: true}"} {
		eval[string](p, press+`("message", `+how+`)`)
		assert.Equal(t, "nick", eval[string](p, press+`("nick", `+how+`)`), "the nick is not finished")
	}
	assert.Equal(t, "にほん", eval[string](p, "message.value"))
	eval[string](p, press+`("message", {keyCode: 13})`)
	p.shows("ann: にほん")
}
