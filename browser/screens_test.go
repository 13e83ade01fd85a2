package browser_test

import (
	"flag"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var picture = flag.String("picture", "", "write the picture of the README to this file")

// talk is a conversation to look at. The last line is said by the page's own person.
func talk(s *server, p *tab) {
	s.t.Helper()
	for _, said := range [][2]string{
		{"mira", "Good morning. The plan for Thursday is in the wiki."},
		{"kofi", "Good morning. I was on the train; your last two messages came when it had left the tunnel."},
		{"kofi", "Shall we meet in the small room at ten, or stay in the chat?"},
		{"jürgen", "The chat, please. Then everybody can read it later."},
		{"deploy-bot", "Build 214 is on the test machine."},
		{"mira", "Then we can look at it together :)"},
	} {
		s.publish("chat", said[0], said[1])
	}
	p.takeNick("ada")
	p.say("I have it open in three tabs already.")
	s.publish("chat", "jürgen", "Give me ten minutes, I need a coffee.")
	p.say("Until ten, then.")
	has(p, 9, `document.querySelectorAll(".line").length`)
	// What moves has come to rest.
	has(p, 0, `document.getAnimations().length`)
}

func TestPicture(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	s.present("chat", "mira", "kofi", "jürgen")
	p := startBrowser(t).open(s.URL)
	p.screenshot("empty.png")
	p.do(chromedp.EmulateViewport(1200, 840))
	call(p, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: "en-GB"})
	p.do(chromedp.Reload())
	talk(s, p)
	has(p, "4 here", hereCount)
	data := p.screenshot("light.png")
	if *picture != "" {
		require.NoError(t, os.WriteFile(*picture, data, 0o644))
	}
}

func TestDarkScreen(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	p := startBrowser(t).open(s.URL)
	p.prefersDark()
	talk(s, p)
	p.screenshot("dark.png")
	assertReadable(t, p)
	paper := eval[float64](p, luminance+`luminance(getComputedStyle(document.body).backgroundColor)`)
	assert.Less(t, paper, 0.05, "the paper is dark")
}

func TestNarrowScreen(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL + "/?channel=chat")
	p.do(chromedp.EmulateViewport(360, 720, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulateScale(2)))
	talk(s, p)
	p.screenshot("narrow.png")
	s.publish("chat", strings.Repeat("long", 16), strings.Repeat("unbroken", 40))
	has(p, 10, `document.querySelectorAll(".line").length`)
	has(p, 0, `document.getAnimations().length`)
	assertReadable(t, p)
	assertFits(t, p)
	small := eval[[]string](p, `Array.from(document.querySelectorAll("input, textarea, button, summary, .brand"))
		.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 38).map((e) => e.outerHTML)`)
	assert.Empty(t, small, "a finger hits everything")
	zooming := eval[[]string](p, `Array.from(document.querySelectorAll("input, textarea"))
		.filter((e) => parseFloat(getComputedStyle(e).fontSize) < 16).map((e) => e.id)`)
	assert.Empty(t, zooming, "a phone does not zoom into a field")

	p.prefersDark()
	p.screenshot("narrow-dark.png")
	assertReadable(t, p)

	s.present("chat", strings.Repeat("W", 64), "mira")
	has(p, "3 here", hereCount)
	p.clicks(".here summary")
	has(p, 3, hereNames+".length")
	p.screenshot("narrow-here.png")
	assertFits(t, p)
}

// All that can get long at once: the name of the room, the menu, what went wrong.
func TestNarrowScreenInTrouble(t *testing.T) {
	s := startServer(t)
	p := startBrowser(t).open(s.URL + "/?channel=" + strings.Repeat("long-name.", 12))
	p.requestsFail = true
	p.do(chromedp.EmulateViewport(360, 640, chromedp.EmulateMobile))
	p.clicks("summary")
	has(p, "channel", `document.activeElement.id`)
	assertFits(t, p)
	p.screenshot("rooms.png")
	p.do(chromedp.KeyEvent(kb.Escape))
	has(p, false, `document.querySelector("details").open`)

	require.NoError(t, s.Stop(syscall.SIGTERM))
	has(p, "Reconnecting.", `document.querySelector("#connection .words").textContent`)
	p.takeNick("ann")
	p.tryToSay("hello")
	has(p, "waiting", `delivery.dataset.state`)
	assertFits(t, p)
	assertReadable(t, p)
	p.screenshot("trouble.png")
}

// assertFits checks that nothing reaches over the side of the screen.
func assertFits(t *testing.T, p *tab) {
	t.Helper()
	over := eval[[]string](p, `Array.from(document.querySelectorAll("body *"))
		.filter((e) => e.checkVisibility() && !e.matches(".unseen"))
		.filter((e) => e.getBoundingClientRect().left < 0 || e.getBoundingClientRect().right > screen.width)
		.map((e) => e.outerHTML)`)
	assert.Empty(t, over, "reaches over the side")
	assert.Equal(t, 0, eval[int](p, `document.documentElement.scrollWidth - screen.width`), "the page scrolls sideways")
	assert.Equal(t, 0, eval[int](p, `conversation.scrollWidth - conversation.clientWidth`), "the lines scroll sideways")
}

// luminance is WCAG's relative luminance of any CSS colour.
const luminance = `var luminance = (colour) => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d");
	canvas.fillStyle = colour;
	canvas.fillRect(0, 0, 1, 1);
	const [r, g, b] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (v) =>
		v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
`

// assertReadable checks that text stands out from what is behind it as WCAG AA asks: 4.5 to 1, and 3 to 1
// for the letters that only decorate.
func assertReadable(t *testing.T, p *tab) {
	t.Helper()
	assert.Empty(t, eval[[]string](p, luminance+`
		var paper = (e) => {
			const colour = getComputedStyle(e).backgroundColor;
			return e === document.body || !colour.endsWith(" 0)") ? colour : paper(e.parentElement);
		};
		Array.from(document.querySelectorAll(
			"h1, time, .nick, .text, .avatar, .note span, .words, .prefix, input, textarea, button"))
			.filter((e) => e.checkVisibility({visibilityProperty: true}) && e.offsetWidth > 0)
			.map((e) => {
				const [dark, light] = [luminance(getComputedStyle(e).color), luminance(paper(e))].sort((a, b) => a - b);
				const wanted = e.matches(".avatar") ? 3 : 4.5;
				const contrast = (light + 0.05) / (dark + 0.05);
				return contrast < wanted ? contrast.toFixed(2) + ": " + e.outerHTML : "";
			})
			.filter(Boolean)`), "text of too little contrast")
}
