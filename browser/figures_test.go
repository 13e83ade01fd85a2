package browser_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The long form: go test -run 'Figures|Visit' -v . -flood=4000 -messages=20000
var (
	flood    = flag.Int("flood", 200, "how many messages come, 200 a second, to a processor that is 4 times slower")
	messages = flag.Int("messages", 2000, "how many messages a page has taken when its memory is looked at")
)

// afterwards are the files that the page asks for when it has shown the messages.
const afterwards = `(presence|present|here|joins|typing|names)\.(js|css)$`

var isAfterwards = regexp.MustCompile("/" + afterwards)

// load is what a visit brought over the network until the messages were there, but for what scripts asked for. Bytes are
// those of answers with their headers.
type load struct {
	mu       sync.Mutex
	ignored  map[network.RequestID]bool
	requests int
	bytes    float64
}

// measure counts what the tab loads from now on.
func (p *tab) measure() *load {
	p.t.Helper()
	l := &load{ignored: make(map[network.RequestID]bool)}
	require.NoError(p.t, chromedp.Listen(p.ctx, func(event any) {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			l.ignored[e.RequestID] = e.Type == network.ResourceTypeFetch || isAfterwards.MatchString(e.Request.URL)
		case *network.EventLoadingFinished:
			if !l.ignored[e.RequestID] && e.EncodedDataLength > 0 {
				l.requests++
				l.bytes += e.EncodedDataLength
			}
		}
	}))
	call(p, network.Enable, network.EnableParams{})
	return l
}

func (l *load) now() (requests int, bytes float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests, l.bytes
}

const late = `performance.getEntriesByType("resource").filter(({name}) => /\/` + afterwards + `/.test(name))`

// What a first visit costs, in an empty room and in one where something was said, until nothing more comes.
func TestFiguresOfVisits(t *testing.T) {
	s := startServer(t)
	for i := range 60 {
		s.publish("talk", "ann", fmt.Sprint("message ", i))
	}
	most := 40_000.0
	if testing.Short() {
		most -= 500 // as a browser without windows does not ask for the manifest
	}
	for _, room := range []string{"empty", "talk"} {
		if testing.Short() && room == "empty" {
			continue // which asks for no more
		}
		p := startChromium(t).visit("about:blank")
		first := p.measure()
		p.toFront()
		p.do(chromedp.Navigate(s.URL + "/?channel=" + room))
		p.isConnected()
		has(p, true, `navigator.serviceWorker.ready.then(({active}) => active.state === "activated")`)
		requests, bytes := first.now()
		t.Logf("first visit, room %s: %d requests, %.0f bytes", room, requests, bytes)
		assert.LessOrEqual(t, bytes, most, room)

		// The service worker may bring these, so only the page knows of them.
		has(p, 7, late+".length")
		unpacked := eval[float64](p, late+".reduce((sum, {encodedBodySize}) => sum + encodedBodySize, 0)")
		t.Logf("and then %.0f bytes without headers, unpacked where the service worker brought them", unpacked)
		assert.LessOrEqual(t, unpacked, 12_000.0, room)
	}
}

// How long one waits for the first message on a line of 400 kbit/s whose answers take 400 ms.
func TestFiguresOfASlowLine(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	s.publish("chat", "ann", "hi")
	first := func(line *network.Conditions) (took float64) {
		p := startBrowser(t).visit("about:blank")
		call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{line}})
		p.do(chromedp.Navigate(s.URL))
		return eval[float64](p, `new Promise((seen) => {
			const look = () => lines.querySelector(".text") ? seen(performance.now()) : requestAnimationFrame(look);
			look();
		})`)
	}
	usual := first(&network.Conditions{DownloadThroughput: -1, UploadThroughput: -1})
	took := first(&network.Conditions{Latency: 400, DownloadThroughput: 50_000, UploadThroughput: 50_000})
	t.Logf("first message after %.0f ms, on a fast line after %.0f ms", took, usual)
	assert.Less(t, took-usual, 10_000.0) // a busy machine is slow on any line
}

func TestFiguresOfAFlood(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	p := startWindow(t).open(s.URL)
	for i := range 1000 {
		s.publish("chat", "ann", fmt.Sprint("before ", i))
	}
	has(p, "before 999", `document.querySelector("#lines > :last-child .text").textContent`)
	before := p.metrics()
	call(p, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4})
	eval[bool](p, `window.frames_ = 0; window.longest = 0; window.began = performance.now();
		new PerformanceObserver((list) => { for (const {duration} of list.getEntries()) longest = Math.max(longest, duration); }).observe({type: "longtask"});
		(function count() { frames_++; requestAnimationFrame(count); })(); true`)
	end := s.flood("slow")
	fps := eval[float64](p, "frames_ / (performance.now() - began) * 1000")
	t.Logf("%.1f frames a second, longest task %.0f ms", fps, eval[float64](p, "longest"))
	for name, spent := range p.metrics() {
		if strings.HasSuffix(name, "Duration") {
			t.Logf("%s: %.2f s", name, spent-before[name])
		}
	}
	call(p, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 1})
	last := `document.querySelector("#lines > :last-child .text").textContent`
	has(p, end, last)

	longest := p.longestTask(func() { has(p, s.flood("fast"), last) })
	t.Logf("longest task at full speed: %v of the processor, so %v on one that is 4 times slower and does nothing else", longest, 4*longest)
}

// flood posts 200 messages a second that begin with a word, and returns the last one.
func (s *server) flood(word string) (last string) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range *flood {
		<-tick.C
		last = fmt.Sprint(word, " ", i)
		s.publish("chat", "ann", last)
	}
	return last
}

// longestTask is the longest time of the processor that Chromium took for a task meanwhile. What else the machine does
// adds nothing to it.
func (p *tab) longestTask(meanwhile func()) (longest time.Duration) {
	p.t.Helper()
	all := make(chan struct{})
	require.NoError(p.t, chromedp.Listen(p.ctx, func(event any) {
		switch e := event.(type) {
		case *tracing.EventDataCollected: // one after another
			for _, value := range e.Value {
				var traced struct {
					Name string
					Tdur float64 // in microseconds
				}
				if json.Unmarshal(value, &traced) == nil && strings.HasSuffix(traced.Name, "RunTask") {
					longest = max(longest, time.Duration(traced.Tdur)*time.Microsecond)
				}
			}
		case *tracing.EventTracingComplete:
			close(all)
		}
	}))
	call(p, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{IncludedCategories: []string{"toplevel"}}})
	meanwhile()
	call(p, tracing.End, cdp.Empty{})
	select {
	case <-all:
	case <-time.After(patience):
		require.Fail(p.t, "Chromium does not tell what it did")
	}
	return longest
}

func TestFiguresOfMemory(t *testing.T) {
	inTheWholeSize(t)
	s := startServer(t)
	p := startWindow(t).open(s.URL)
	for i := range *messages {
		s.publish("chat", "ann", fmt.Sprint("message ", i))
	}
	has(p, fmt.Sprint("message ", *messages-1), `document.querySelector("#lines > :last-child .text").textContent`)
	used := p.metrics()
	t.Logf("after %d messages: %.1f MB of JavaScript, %.0f nodes", *messages, used["JSHeapUsedSize"]/1e6, used["Nodes"])
	assert.Less(t, used["JSHeapUsedSize"], 100e6)
}

// metrics are Chromium's own of the tab. Durations are in seconds.
func (p *tab) metrics() map[string]float64 {
	p.t.Helper()
	call(p, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
	metrics := make(map[string]float64)
	for _, metric := range call(p, performance.GetMetrics, cdp.Empty{}).Metrics {
		metrics[metric.Name] = metric.Value
	}
	return metrics
}
