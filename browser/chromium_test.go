package browser_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	windows "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// patience is how long a test waits for what should come at once. Where it does, the length costs nothing; a Chromium on
// a busy machine may stand still for long.
const patience = 2 * pubsubtest.Patience

// browser is one as one person has it: what it stores is its own.
type browser struct {
	t    *testing.T
	ctx  context.Context          // of its Chromium
	tabs []chromedp.ContextOption // of each of its tabs

	// hides says that the tab in front is the only one that is seen, though each has a window of its own.
	hides bool
	front *tab
}

// startBrowser returns a browser whose tabs are all seen. It is Chromium without windows, which takes a third of the
// processor's time.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := pubsubtest.Find(t, "chromium-headless-shell", append([]string{"chromium-headless-shell", "chrome-headless-shell"}, chromiums...)...)
	return shell.browser(t, path,
		chromedp.Flag("process-per-site", true), // else half of the time is that of starts
		chromedp.Flag("ignore-certificate-errors-spki-list", trusted(t)),
	)
}

// startHiding returns a browser whose tabs hide each other, for what a page does in a hidden tab. Without windows, a tab
// is hidden by minimizing it.
func startHiding(t *testing.T) *browser {
	t.Helper()
	b := startBrowser(t)
	b.hides = true
	return b
}

// startWindow is startHiding in the whole Chromium, where the tabs of a window have processes of their own. They take four
// times as long, so with -short it is startHiding.
func startWindow(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		return startHiding(t)
	}
	return whole.browser(t, chromium(t))
}

// startChromium returns a browser in a Chromium of its own, for what is not offered to those that forget all, and for
// figures. With -short it is one without windows, which asks for neither the manifest nor an icon by itself.
func startChromium(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		return startBrowser(t)
	}
	allocator, free := launch(chromium(t), t.TempDir())
	t.Cleanup(free)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		soon, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		assert.NoError(t, chromedp.Cancel(soon), "the browser did not end well")
	})
	require.NoError(t, chromedp.Do(ctx), "the browser does not start")
	return &browser{t: t, ctx: ctx}
}

// sharedChromium is one that many tests share, as its start takes longer than many a test. TestMain ends it.
type sharedChromium struct {
	once sync.Once
	ctx  context.Context
	err  error
	end  func()
}

var shell, whole sharedChromium

func (s *sharedChromium) browser(t *testing.T, path string, options ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	s.once.Do(func() { s.start(path, options) })
	require.NoError(t, s.err, "Chromium does not start")
	// Were it made by chromedp, it would have an empty tab, which has a process.
	in, err := cdp.Call(s.ctx, chromedp.FromContext(s.ctx).Browser, target.CreateBrowserContext, target.CreateBrowserContextParams{})
	require.NoError(t, err, "the browser does not start")
	t.Cleanup(func() {
		soon, cancel := context.WithTimeout(s.ctx, patience)
		defer cancel()
		_, err := cdp.Call(soon, chromedp.FromContext(s.ctx).Browser, target.DisposeBrowserContext, target.DisposeBrowserContextParams(in))
		assert.NoError(t, err, "the browser did not end well")
	})
	return &browser{t: t, ctx: s.ctx, tabs: []chromedp.ContextOption{chromedp.WithExistingBrowserContext(in.BrowserContextID)}}
}

func (s *sharedChromium) start(path string, options []chromedp.ExecAllocatorOption) {
	var dir string
	if dir, s.err = os.MkdirTemp("", "pubsub-chromium-"); s.err != nil {
		return
	}
	allocator, free := launch(path, dir, options...)
	s.ctx, _ = chromedp.NewContext(allocator)
	s.err = chromedp.Do(s.ctx)
	s.end = func() {
		_ = chromedp.Cancel(s.ctx) // each test has checked its own browsers
		free()
		_ = os.RemoveAll(dir)
	}
}

func endShared() {
	for _, s := range []*sharedChromium{&shell, &whole} {
		if s.end != nil {
			s.end()
		}
	}
	if certificate.dir != "" {
		_ = os.RemoveAll(certificate.dir)
	}
}

// launch prepares a Chromium that keeps its files in dir. It has this machine as pubsub.test, too: a name without a
// secure context.
func launch(path, dir string, more ...chromedp.ExecAllocatorOption) (context.Context, context.CancelFunc) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(dir),
		chromedp.WindowSize(1200, 800),
		chromedp.DisableGPU,
		chromedp.Flag("headless", "new"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP pubsub.test 127.0.0.1"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	return chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
}

var chromiums = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

func chromium(t *testing.T) string {
	t.Helper()
	return pubsubtest.Find(t, "chromium", chromiums...)
}

// tab is one page in a browser.
type tab struct {
	t       *testing.T
	browser *browser
	ctx     context.Context
	close   func()

	consoleMu sync.Mutex
	console   []string
	// requestsFail is set by tests that make requests fail: Chromium writes each to the console.
	requestsFail bool
}

// open opens a page in a new tab and waits until it is connected. Scripts run before the page's own.
func (b *browser) open(url string, scripts ...string) *tab {
	b.t.Helper()
	p := b.visit(url, scripts...)
	p.isConnected()
	return p
}

// visit opens any page in a new tab.
func (b *browser) visit(url string, scripts ...string) *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, append(b.tabs, chromedp.WithNewWindow(false))...)
	p := &tab{t: b.t, browser: b, ctx: ctx}
	p.close = func() {
		if b.front == p {
			b.front = nil
		}
		cancel()
	}
	b.t.Cleanup(p.close)
	b.t.Cleanup(func() { assert.Empty(b.t, p.takeConsole(), "the console of %s", url) })
	require.NoError(b.t, chromedp.Listen(ctx, p.listen))
	for _, script := range scripts {
		call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	}
	p.toFront()
	p.do(chromedp.Navigate(url))
	return p
}

// visitFailing is visit where requests may fail from the first on.
func (b *browser) visitFailing(url string, scripts ...string) *tab {
	b.t.Helper()
	p := b.visit("about:blank", scripts...)
	p.requestsFail = true
	p.do(chromedp.Navigate(url))
	return p
}

// takeConsole returns what was written to the console, and was expected there.
func (p *tab) takeConsole() (lines []string) {
	p.consoleMu.Lock()
	defer p.consoleMu.Unlock()
	lines, p.console = p.console, nil
	return lines
}

func (p *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complain("exception: " + e.ExceptionDetails.Text + describe(e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			p.complain(fmt.Sprintf("console.%s: %s %s", e.Type, arg.Value, arg.Description))
		}
	case *log.EventEntryAdded:
		if p.requestsFail && (e.Entry.Source == log.EntrySourceNetwork || strings.Contains(e.Entry.Text, "icon from the Manifest")) {
			return
		}
		p.complain(fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

func describe(thrown *runtime.RemoteObject) string {
	if thrown == nil {
		return ""
	}
	return " " + thrown.Description
}

func (p *tab) complain(about string) {
	p.consoleMu.Lock()
	defer p.consoleMu.Unlock()
	p.console = append(p.console, about)
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...))
}

// eval returns the value of a JavaScript expression in the page. If the page loads anew meanwhile, the new one is asked.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	for err != nil && navigated.MatchString(err.Error()) && ctx.Err() == nil {
		value, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	}
	require.NoError(p.t, err, expression)
	return value
}

// navigated is how Chromium says that a page went away while it was asked something.
var navigated = regexp.MustCompile(`navigated or closed|context was destroyed|Cannot find (default )?(execution )?context`)

// call sends a protocol command to the tab.
func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	require.NoError(p.t, err, command.Method)
	return result
}

// becomes waits until get returns want. What does not come soon is looked for less often: each look takes time.
func becomes[T any](t *testing.T, want T, get func() T, what ...any) {
	t.Helper()
	deadline := time.After(patience)
	for pause := 10 * time.Millisecond; ; pause = min(pause*3/2, 100*time.Millisecond) {
		got := get()
		if assert.ObjectsAreEqual(want, got) {
			return
		}
		select {
		case <-time.After(pause):
		case <-deadline:
			require.Equal(t, want, got, what...)
		}
	}
}

// has waits until a JavaScript expression has a value.
func has[T any](p *tab, want T, expression string) {
	p.t.Helper()
	becomes(p.t, want, func() T { return eval[T](p, expression) }, expression)
}

// shows waits until the conversation is these lines: "nick: message", or "— note". What is written and not yet
// published does not count, nor where the new begins.
func (p *tab) shows(lines ...string) {
	p.t.Helper()
	has(p, append([]string{}, lines...), `Array.from(document.querySelectorAll("#lines > :not(.new, .quiet)"), (line) =>
		line.matches(".note") ? "— " + line.textContent
		: line.querySelector(".nick").textContent + ": " + line.querySelector(".text").textContent)`)
}

func (p *tab) isConnected() {
	p.t.Helper()
	has(p, "Connected", `document.querySelector("#connection .words").textContent`)
}

// say writes a message, sends it with the enter key, and waits until the page has sent it.
func (p *tab) say(message string) {
	p.t.Helper()
	p.tryToSay(message)
	p.pends()
}

// pends waits until these messages are written and not yet published.
func (p *tab) pends(messages ...string) {
	p.t.Helper()
	has(p, append([]string{}, messages...), `Array.from(document.querySelectorAll("#outbox .text"), (e) => e.textContent)`)
}

// tryToSay writes a message and sends it with the enter key.
func (p *tab) tryToSay(message string) {
	p.t.Helper()
	p.types("#message", message+"\n")
}

// takeNick types over the nick that is there, as a person does.
func (p *tab) takeNick(nick string) {
	p.t.Helper()
	eval[any](p, "void nick.select()")
	p.types("#nick", nick)
}

// types writes text as what helps to write does, such as a phone's keyboard: whole words at once, which takes a fifth of
// the time that keys do. What is no letter is a key.
func (p *tab) types(field, text string) {
	p.t.Helper()
	p.toFront()
	has(p, true, fmt.Sprintf(`((field) => (field?.focus(), field !== null && field === document.activeElement))(document.querySelector(%q))`, field))
	for _, part := range keysAndWords.FindAllString(text, -1) {
		if keys.MatchString(part) {
			p.do(chromedp.KeyEvent(part))
		} else {
			call(p, input.InsertText, input.InsertTextParams{Text: part})
		}
	}
}

var (
	keys         = regexp.MustCompile(`^[\n\x{8}]$`)
	keysAndWords = regexp.MustCompile(`[\n\x{8}]|[^\n\x{8}]+`)
)

// presses writes text key by key.
func (p *tab) presses(field, text string) {
	p.t.Helper()
	p.toFront()
	p.do(chromedp.SendKeys(chromedp.CSS(field), text))
}

// clicks waits until the element stands still: Chromium is told where to click, and what moves is missed.
func (p *tab) clicks(what string) {
	p.t.Helper()
	p.toFront()
	p.do(chromedp.WaitVisible(chromedp.CSS(what)))
	has(p, true, fmt.Sprintf(`new Promise((tell) => {
		const place = () => JSON.stringify(document.querySelector(%q)?.getBoundingClientRect());
		const before = place();
		requestAnimationFrame(() => requestAnimationFrame(() => tell(place() === before)));
	})`, what))
	p.do(chromedp.Click(chromedp.CSS(what)))
}

// opensMenu opens the menu of rooms. What it lists is loaded then, and moves the buttons below.
func (p *tab) opensMenu() {
	p.t.Helper()
	p.clicks(".rooms summary")
	has(p, true, `document.querySelector(".mine-rooms a") !== null && !copy.disabled`)
}

// toFront makes the tab the one that is seen in its window, which hides the others.
func (p *tab) toFront() {
	p.t.Helper()
	b := p.browser
	if b.hides && b.front != p {
		if b.front != nil {
			b.front.becomes(windows.WindowStateMinimized)
		}
		p.becomes(windows.WindowStateNormal)
		b.front = p
	}
	call(p, page.BringToFront, cdp.Empty{})
}

// becomes changes the window that has the tab alone, if it is not so already.
func (p *tab) becomes(state windows.WindowState) {
	p.t.Helper()
	window := call(p, windows.GetWindowForTarget, windows.GetWindowForTargetParams{})
	if window.Bounds.WindowState != state {
		call(p, windows.SetWindowBounds, windows.SetWindowBoundsParams{WindowID: window.WindowID, Bounds: &windows.Bounds{WindowState: state}})
	}
}

// cutNetwork takes the network away from the tab, which is open over the cutter, or gives it back.
func (p *tab) cutNetwork(c *cutter, cut bool) {
	p.t.Helper()
	p.requestsFail = true
	c.remain(cut)
	call(p, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: cut, DownloadThroughput: -1, UploadThroughput: -1,
	})
}

// prefersDark turns the dark colour scheme on.
func (p *tab) prefersDark() {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
}

// screenshot keeps a picture of the tab with the test's artifacts.
func (p *tab) screenshot(name string) []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(p.t.ArtifactDir(), name), picture, 0o644))
	return picture
}
