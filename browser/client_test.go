package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
)

// folder serves a folder in which nothing but the client and an example is, as another site does.
func folder(t *testing.T, example string) (origin string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../clients/js")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.html"), []byte(example), 0o600))
	site := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(site.Close)
	return site.URL
}

// reading is a page that follows rooms. What it was told is in told: texts by room.
const reading = `<!doctype html><link rel=icon href=data:,>
<script type=module>
	import {connect} from "./pubsub.js";
	window.told = {}, window.stop = {}, window.gaps = 0, window.states = [];
	const query = new URLSearchParams(location.search);
	window.server = connect({base: query.get("base"), way: query.get("way") || undefined});
	window.follow = (room) => {
		told[room] = [];
		stop[room] = server.follow(room, {
			since: "all",
			onMessage: ({message}) => told[room].push(message),
			onGap: () => gaps++,
			onStatus: ({name}) => states.push(room + " " + name),
		});
	};
	for (const room of query.get("rooms").split(",")) follow(room);
</script>`

// read opens a page that reads rooms of a server elsewhere.
func (b *browser) read(origin, base, way, rooms string, scripts ...string) *tab {
	b.t.Helper()
	return b.visitFailing(fmt.Sprintf("%s/?base=%s&way=%s&rooms=%s", origin, base, way, rooms), scripts...)
}

// told waits until a page was told all that the server has of a room, and nothing else.
func (p *tab) told(s *server, room string) {
	p.t.Helper()
	has(p, s.said(room), fmt.Sprintf("told[%q]", room))
	assert.Equal(p.t, 0, eval[int](p, "gaps"))
}

// In each way and in several tabs, nothing is lost or doubled, though connections are cut, the server is
// killed, and the tab that leads is closed.
func TestEachWayLosesNothing(t *testing.T) {
	t.Parallel()
	for _, way := range pubsubtest.Size([]string{"", "sse", "ws", "poll"}, []string{"", "poll"}) { // the first one is a stream, too
		t.Run("way "+way, func(t *testing.T) {
			origin := folder(t, reading)
			s := startServer(t, "PUBSUB_HISTORY="+filepath.Join(t.TempDir(), "data"), "PUBSUB_ALLOWED_ORIGINS="+origin)
			front := startCutter(t, s.Addr())
			start := startHiding
			if way == "" {
				start = startWindow
			}
			b := start(t)
			n := 0
			publish := func() {
				for range 5 {
					n++
					s.publish("room", "ann", fmt.Sprint(n))
					s.publish("news", "ann", fmt.Sprint(n))
				}
			}
			publish()
			leader := b.read(origin, front.url(), way, "room")
			news := b.read(origin, front.url(), way, "news") // which leads then, also for others' rooms
			both := b.read(origin, front.url(), way, "room,news")
			check := func(tabs ...*tab) {
				t.Helper()
				publish()
				both.told(s, "room")
				both.told(s, "news")
				news.told(s, "news")
				for _, p := range tabs {
					p.told(s, "room")
				}
			}
			check(leader)
			s.awaitListening(1)
			front.cut()
			check(leader)
			require.Error(t, s.Stop(syscall.SIGKILL))
			s.Restart(t)
			check(leader)
			leader.close()
			check()
			eval[any](news, `follow("late")`)
			s.publish("late", "ann", "hi")
			news.told(s, "late")
			front.cut()
			check()
			require.NoError(t, s.Stop(syscall.SIGTERM))
			sent := `server.publish("news", {message: "while it was down"}).then((receipt) => window.receipt = receipt)`
			eval[any](both, "void "+sent)
			s.Restart(t)
			has(both, true, "window.receipt?.id > 0")
			check()
			s.awaitListening(1)
			assert.NotEqual(t, "", s.said("news"))
		})
	}
}

// A page that comes back goes on behind the last message that it had, whatever the way.
func TestGoesOnFromAnyCursor(t *testing.T) {
	const from = `(async (way, since) => {
		const {connect} = await import("./pubsub.js");
		const all = [];
		for await (const {message, cursor} of connect({base: new URLSearchParams(location.search).get("base"), way}).messages("room", {since})) {
			all.push({text: message.message, cursor});
			if (message.message === "end") return all;
		}
	})`
	type item struct{ Text, Cursor string }
	origin := folder(t, "<!doctype html><link rel=icon href=data:,>")
	s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
	for i := range 4 {
		s.publish("room", "ann", fmt.Sprint(i))
	}
	s.publish("room", "ann", "end")
	p := startBrowser(t).visit(origin + "/?base=" + s.URL)
	all := eval[[]item](p, from+`("sse", "all")`)
	require.Len(t, all, 5)
	for i, had := range all[:4] {
		for _, way := range []string{"sse", "ws", "poll"} {
			rest := eval[[]item](p, fmt.Sprintf("%s(%q, %q)", from, way, had.Cursor))
			assert.Equal(t, all[i+1].Text, rest[0].Text, way)
			assert.Len(t, rest, 4-i)
		}
	}
}

// What the server refuses is told with its sentence, and does not end what else is followed.
func TestRefusals(t *testing.T) {
	origin := folder(t, reading)
	s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
	s.publish("room", "ann", "hi")
	p := startBrowser(t).read(origin, s.URL, "", "room,no%20room")
	p.told(s, "room")
	has(p, []string{"no room connecting", "no room refused", "room connecting", "room open"}, "states.toSorted()")
	refused := eval[string](p, `server.publish("room", {message: ""}).catch((error) => error.status + " " + error.message)`)
	assert.Contains(t, refused, "400 There is no message.")
	assert.Equal(t, "gone", eval[string](p, `server.publish("room", {message: "x"}, {signal: AbortSignal.abort("gone")}).catch((error) => error)`))
	s.publish("room", "ann", "still there")
	p.told(s, "room")
}

// Where a proxy holds streams back until they end, and lets no WebSocket through, polls come through.
func TestProxyWithoutStreams(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "pubsub.test"} { // what is tried first, a stream or a WebSocket
		t.Run(host, func(t *testing.T) {
			origin := strings.Replace(folder(t, reading), "127.0.0.1", host, 1)
			s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
			p := startBrowser(t).read(origin, withoutStreams(t, s), "", "room")
			assert.Equal(t, host == "127.0.0.1", eval[bool](p, "isSecureContext"))
			s.AwaitPolling(t, 1)
			s.publish("room", "ann", "hi")
			p.told(s, "room")
		})
	}
}

func withoutStreams(t *testing.T, s *server) (url string) {
	proxy := httputil.NewSingleHostReverseProxy(s.Site.URL)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // polls that the page ends
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Accept") == "text/event-stream":
			<-r.Context().Done()
		case r.Header.Get("Upgrade") != "":
			w.WriteHeader(http.StatusBadRequest)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// fast is a script that has time pass faster for a page.
const fast = `window.slow = setTimeout; window.setTimeout = (act, after) => slow(act, after / 20)`

// A WebSocket that never opens does not hold up the next one, which browsers open after it.
func TestWebSocketThatNeverOpens(t *testing.T) {
	origin := folder(t, reading)
	s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
	proxy := httputil.NewSingleHostReverseProxy(s.Site.URL)
	var opened atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" && !opened.Swap(true) {
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p := startBrowser(t).read(origin, front.URL, "ws", "room", fast)
	s.awaitListening(1)
	s.publish("room", "ann", "hi")
	p.told(s, "room")
}

// A connection that is dead and does not know it is given up, after a minute of silence or when the network is said
// to be back.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"sse", "ws"} {
		t.Run(way, func(t *testing.T) {
			origin := folder(t, reading)
			s := startForLong(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
			front := startCutter(t, s.Addr())
			p := startBrowser(t).read(origin, front.url(), way, "room", fast)
			for i := range 2 {
				s.publish("room", "ann", fmt.Sprint(i))
				p.told(s, "room")
				if i == 0 {
					s.awaitListening(1) // later there may be old ones, of which the server has not heard
				}
				front.hold()
			}
			s.publish("room", "ann", "after a silence")
			p.told(s, "room")

			eval[any](p, `void (window.setTimeout = slow)`)
			front.hold()
			s.publish("room", "ann", "after a change of the network")
			eval[any](p, `void dispatchEvent(new Event("online"))`)
			p.told(s, "room")
		})
	}
}

// A room that nobody reads any more is not followed any more.
func TestRoomOfAClosedTab(t *testing.T) {
	origin := folder(t, reading)
	s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
	b := startBrowser(t)
	followed := func() (channels []string) {
		var answer struct {
			Channels []string `json:"active_channels"`
		}
		s.Get(t, "/channels").Into(t, &answer)
		return answer.Channels
	}
	stays := b.read(origin, s.URL, "", "stays")
	goes := b.read(origin, s.URL, "", "goes,too")
	becomes(t, []string{"goes", "stays", "too"}, followed)
	comes := b.read(origin, s.URL, "", "again")
	becomes(t, []string{"again", "goes", "stays", "too"}, followed)
	eval[any](comes, `stop.again()`)
	becomes(t, []string{"goes", "stays", "too"}, followed)
	eval[any](comes, `follow("again")`)
	eval[any](stays, `follow("short")`)
	becomes(t, []string{"again", "goes", "short", "stays", "too"}, followed)
	goes.close()
	eval[any](comes, `stop.again()`)
	eval[any](stays, `stop.short()`)
	becomes(t, []string{"stays"}, followed)
	s.awaitListening(1)
	eval[any](stays, `server.publish("stays", {message: "hi"})`)
	stays.told(s, "stays")
}

func example(t *testing.T, s *server) string {
	text, err := os.ReadFile("../clients/js/README.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?s)```html\n(.*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, found)
	assert.LessOrEqual(t, strings.Count(found[1], "\n"), 10)
	require.Contains(t, found[1], "http://127.0.0.1:8080")
	return strings.ReplaceAll(found[1], "http://127.0.0.1:8080", s.URL) + "<link rel=icon href=data:,>"
}

// The example of the README runs as it is, on a page of another origin that is allowed.
func TestExample(t *testing.T) {
	var page string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
	t.Cleanup(site.Close)
	s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+site.URL)
	page = example(t, s)
	has(startBrowser(t).visit(site.URL), "ann hi\n", "talk.textContent")
}

// Tabs that go to another name one after the other share a connection again, and lose nothing.
func TestTabsChangeTheirNameOneByOne(t *testing.T) {
	origin := folder(t, reading)
	s := startServer(t, "PUBSUB_ALLOWED_ORIGINS="+origin)
	b := startBrowser(t)
	first := b.read(origin, s.URL, "", "room")
	second := b.read(origin, s.URL, "", "room,news")
	s.awaitListening(1)
	for i, name := range []string{"ann", "bob", ""} {
		eval[any](first, fmt.Sprintf(`void (server.presence = %q)`, name))
		s.awaitListening(2)
		s.publish("room", "eve", fmt.Sprint(i, " between"))
		first.told(s, "room")
		second.told(s, "room")
		eval[any](second, fmt.Sprintf(`void (server.presence = %q)`, name))
		s.awaitListening(1)
		s.publish("news", "eve", fmt.Sprint(i))
		s.publish("room", "eve", fmt.Sprint(i, " after"))
		first.told(s, "room")
		second.told(s, "room")
		second.told(s, "news")
	}
}
