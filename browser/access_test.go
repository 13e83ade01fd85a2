package browser_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// axe is the text of axe-core, which npm brings from the registry that this machine uses. It is kept in the user's
// folder for caches.
var axe = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "pubsub-browser-test")
	file := filepath.Join(dir, "package", "axe.min.js")
	if _, err := os.Stat(file); err != nil {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		fetch := exec.Command("sh", "-c", "npm pack --silent axe-core@4 && tar xzf axe-core-4*.tgz package/axe.min.js")
		fetch.Dir = dir
		if out, err := fetch.CombinedOutput(); err != nil {
			return "", fmt.Errorf("npm pack axe-core: %w: %s", err, out)
		}
	}
	text, err := os.ReadFile(file)
	return string(text), err
})

// violations are what axe-core finds wrong with the page as it is.
func (p *tab) violations() []string {
	p.t.Helper()
	text, err := axe()
	require.NoError(p.t, err)
	if !eval[bool](p, `"axe" in window`) {
		eval[bool](p, text+"; true")
	}
	return eval[[]string](p, `axe.run().then(({violations}) => violations.flatMap(({id, nodes}) =>
		nodes.map(({html, failureSummary}) => id + ": " + html + " " + failureSummary)))`)
}

// variety is all kinds of lines that there are.
func variety(s *server, p *tab) {
	talk(s, p)
	p.requestsFail = true
	s.publish("chat", "mira", "ada, see https://example.test and `code`\n```\nblock\n```")
	s.post("/api/publish/chat", map[string]any{"temperature": 21.5})
	has(p, 11, `document.querySelectorAll("#lines .line").length`)
	becomes(p.t, "mira is typing", func() string { // who does not listen yet is told neither who types nor who comes
		s.post("/presence/chat", map[string]any{"typing": true, "name": "mira"})
		return eval[string](p, typing)
	})
	s.present("chat", "mira", "kofi")
	has(p, "3 here", hereCount)
	has(p, 1, quiet+".length")
	p.do(chromedp.SetValue(chromedp.CSS("#message"), fmt.Sprintf("%020000d", 0)))
	p.tryToSay("too long")
	has(p, "failed", `document.querySelector("#outbox > *")?.dataset.state ?? ""`)
	has(p, 0, `document.getAnimations().length`)
}

// edges are fields and their contrast with what is around them, where it is under 3 to 1.
const edges = luminance + `Array.from(document.querySelectorAll(".field, .small")).filter((e) => e.checkVisibility() && !e.matches(".leave")).map((e) => {
	const [dark, light] = [getComputedStyle(e).borderTopColor, getComputedStyle(e).backgroundColor].map(luminance).sort((a, b) => a - b);
	return (light + 0.05) / (dark + 0.05);
}).filter((contrast) => contrast < 3)`

// dresses are ways to look at the page. Each begins with the one before taken off.
var dresses = map[string]func(p *tab){
	"light": func(*tab) {},
	"dark":  (*tab).prefersDark,
	"phone": func(p *tab) {
		p.do(chromedp.EmulateViewport(360, 720, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)))
	},
	"forced-colours": func(p *tab) {
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
		})
	},
	"400-percent":         func(p *tab) { p.do(chromedp.EmulateViewport(320, 256, chromedp.EmulateScale(4))) },
	"phone-with-keyboard": func(p *tab) { p.do(chromedp.EmulateViewport(360, 300, chromedp.EmulateMobile)) },
}

// inEachDress checks the page as it is, in all dresses; with -short in those that are named.
func (p *tab) inEachDress(state string, check func(name string), short ...string) {
	p.t.Helper()
	for name, dress := range dresses {
		if testing.Short() && !slices.Contains(short, name) {
			continue
		}
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "forced-colors"}, {Name: "prefers-color-scheme"}},
		})
		p.do(chromedp.EmulateViewport(1200, 800))
		dress(p)
		assert.Empty(p.t, p.violations(), "%s, %s", state, name)
		p.screenshot(state + "-" + name + ".png")
		check(name)
	}
}

func TestAccessible(t *testing.T) {
	s := startServer(t)
	// Who types does so until all is seen.
	p := startBrowser(t).open(s.URL, `const later = setTimeout; window.setTimeout = (act, after) => after === 5000 || later(act, after)`)
	p.inEachDress("empty", func(name string) {
		eval[bool](p, `(document.querySelector("#empty code").scrollIntoView(), true)`) // it may have no layout yet
		assert.Equal(t, []string{"chatform", "empty"}, eval[[]string](p, `["#chatform", "#empty code"].map((of) => {
			const {left, right, top} = document.querySelector(of).getBoundingClientRect();
			return document.elementFromPoint((left + right) / 2, top + 4).closest("form, #empty").id;
		})`), "nothing lies over them, %s", name)
	}, "400-percent")
	variety(s, p)
	p.inEachDress("mixed", func(name string) {
		assert.Empty(t, eval[[]float64](p, edges), name)
		assert.GreaterOrEqual(t, eval[int](p, "conversation.clientHeight"), 90, "room for the conversation, %s", name)
	}, "dark", "phone-with-keyboard", "forced-colours")
	p.do(chromedp.EmulateViewport(1200, 800))
	p.opensMenu()
	p.inEachDress("menu", func(string) {}, "phone")
	p.do(chromedp.EmulateViewport(1200, 800))
	p.clicks(".here summary")
	has(p, []string{"ada", "kofi", "mira"}, hereNames)
	p.inEachDress("here", func(string) {}, "light")
}

// The keyboard alone reaches everything, in the order in which it is seen, and shows where one is.
func TestKeyboardAlone(t *testing.T) {
	s := startServer(t)
	s.publish("chat", "bo", "hi")
	p := startBrowser(t).open(s.URL)
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	eval[any](p, "document.activeElement.blur()")
	var reached []string
	for range 6 {
		p.toFront()
		p.do(chromedp.KeyEvent(kb.Tab))
		reached = append(reached, eval[string](p, `document.activeElement.id || document.activeElement.className || document.activeElement.localName`))
		assert.True(t, eval[bool](p, `[document.activeElement, document.activeElement.parentElement]
			.some((e) => getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 2)`), "focus is seen on %s", reached)
	}
	assert.Equal(t, []string{"brand", "summary", "conversation", "nick", "message", "send"}, reached)

	p.presses("#nick", "ann\nby keyboard\n")
	p.shows("bo: hi", "ann: by keyboard")
	eval[any](p, `document.querySelector("summary").focus()`)
	p.do(chromedp.KeyEvent(kb.Enter))
	has(p, "channel", "document.activeElement.id")
	p.do(chromedp.KeyEvent("lobby" + kb.Enter))
	has(p, "lobby · pubsub", "document.title")
	has(p, "message", "document.activeElement.id")
}

// Where what an empty room says is longer than the conversation is high, and one has scrolled up to read it.
func TestFirstMessageOnASmallScreen(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.do(chromedp.EmulateViewport(320, 256))
	has(p, true, `conversation.scrollHeight > conversation.clientHeight + 48`)
	eval[any](p, `new Promise((scrolled) => {
		conversation.addEventListener("scroll", () => requestAnimationFrame(scrolled), {once: true});
		conversation.scrollTop = 0;
	})`)
	s.publish("chat", "ann", "hi")
	p.shows("ann: hi")
	has(p, true, "hint.hidden")
	for i := range 20 {
		s.publish("chat", "ann", fmt.Sprint(i))
	}
	has(p, true, `hint.hidden && conversation.scrollHeight - conversation.scrollTop - conversation.clientHeight < 2 && lines.textContent.includes("19")`)
}
