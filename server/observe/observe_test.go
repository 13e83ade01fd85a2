package observe_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/asynclog"
	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
	"pubsub/server/observe"
	"pubsub/server/version"
	"pubsub/server/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newMetrics returns metrics of a hub of its own.
func newMetrics(t *testing.T) (*observe.Metrics, *hub.Hub) {
	b, err := bus.New(bus.Options{})
	require.NoError(t, err)
	log := memory.New(history.Options{})
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		require.NoError(t, log.Close())
	})
	h := hub.New(b, log)
	return observe.NewMetrics(h, b), h
}

// shows asks for the metrics, and that all these lines are among them.
func shows(t *testing.T, m *observe.Metrics, lines ...string) {
	t.Helper()
	w := httptest.NewRecorder()
	require.NoError(t, m.Write(w, httptest.NewRequest(http.MethodGet, "/metrics", nil)))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	all := strings.Split(w.Body.String(), "\n")
	for _, line := range lines {
		require.Contains(t, all, line)
	}
}

func TestMetricsAtTheBeginning(t *testing.T) {
	m, _ := newMetrics(t)
	shows(t, m,
		"# TYPE pubsub_messages_published_total counter", "pubsub_messages_published_total 0", "pubsub_messages_delivered_total 0",
		"pubsub_polls_pending 0", "pubsub_channels 0",
		fmt.Sprintf(`pubsub_build_info{goversion=%q,revision=%q,version=%q} 1`, runtime.Version(), version.Revision(), version.Number), "pubsub_panics_total 0", "pubsub_accept_errors_total 0",
		`pubsub_gaps_total{reason="expired"} 0`, `pubsub_gaps_total{reason="restarted"} 0`, `pubsub_gaps_total{reason="ahead"} 0`,
		"pubsub_delivery_seconds_count 0", "pubsub_bus_connects_total 0", "pubsub_bus_merged_total 0")
}

func TestMetricsOfTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := newMetrics(t)
		f, err := h.Follow([]hub.Place{{Channel: "chat", Since: history.Now()}}, 10)
		require.NoError(t, err)
		ended := make(chan error)
		go func() {
			_, err := f.Next(t.Context())
			f.Close()
			ended <- err
		}()
		synctest.Wait()
		shows(t, m, "pubsub_polls_pending 1", "pubsub_channels 0", "pubsub_bus_connects_total 1")
		_, err = h.Publish(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
		require.NoError(t, err)
		require.NoError(t, <-ended)
		shows(t, m, "pubsub_polls_pending 0", "pubsub_channels 1")
	})
}

func TestMetricsThatOthersCount(t *testing.T) {
	m, _ := newMetrics(t)
	lines := asynclog.New(io.Discard, slog.LevelInfo, false)
	defer lines.Close()
	away := false
	m.CountHistory(func() int { return 1 })
	m.CountPresence(func() (int, int64, int64) { return 2, 3, 4 })
	m.CountAway(func() bool { return away })
	m.CountCompressions(func() float64 { return 5 })
	m.CountDroppedLines(lines)
	m.CountStreams(func() int { return 6 })
	m.CountConnections(func() int { return 7 })
	m.Published.Inc()
	m.AcceptErrors.Add(2)
	shows(t, m, "pubsub_history_bytes 1", "pubsub_present 2", "pubsub_presence_joins_total 3", "pubsub_presence_leaves_total 4",
		"pubsub_history_away 0", "pubsub_compressions_total 5", "pubsub_log_lines_dropped_total 0", "pubsub_streams 6",
		"pubsub_connections 7", "pubsub_messages_published_total 1", "pubsub_accept_errors_total 2")
	away = true
	shows(t, m, "pubsub_history_away 1")
}

// Each message counts for each reader. How long it took counts once a page, and only if a
// reader waited; that is the age of its first message.
func TestDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newMetrics(t)
		page := &hub.Page{Messages: make([]history.Message, 3), Gap: &history.Gap{Reason: history.Expired}}
		page.Messages[0].Time = time.Now()
		time.Sleep(3 * time.Millisecond)
		page.Messages[1].Time, page.Messages[2].Time = time.Now(), time.Now()
		m.Deliver(page)
		shows(t, m, "pubsub_messages_delivered_total 3", `pubsub_gaps_total{reason="expired"} 1`, "pubsub_delivery_seconds_count 0")

		page.Gap, page.Waited = nil, true
		m.DeliverTo(page, 100)
		require.EqualValues(t, 303, m.Delivered())
		shows(t, m, "pubsub_messages_delivered_total 303", `pubsub_gaps_total{reason="expired"} 1`,
			"pubsub_delivery_seconds_count 1", "pubsub_delivery_seconds_sum 0.003",
			`pubsub_delivery_seconds_bucket{le="0.0025"} 0`, `pubsub_delivery_seconds_bucket{le="0.005"} 1`)

		m.DeliverTo(page, 0)
		m.Deliver(&hub.Page{Waited: true})
		m.DeliverTo(&hub.Page{Gap: &history.Gap{Reason: history.Ahead}}, 5)
		require.EqualValues(t, 303, m.Delivered())
		shows(t, m, "pubsub_delivery_seconds_count 1", `pubsub_gaps_total{reason="ahead"} 1`)
	})
}

// A process is healthy for as long as it runs, and ready unless it drains or its log is away.
func TestHealth(t *testing.T) {
	m, _ := newMetrics(t)
	var draining, away bool
	responder := &web.Responder{
		Log: slog.New(slog.DiscardHandler), Refusals: observe.NewRefusals(slog.New(slog.DiscardHandler), m),
		Draining: func() bool { return draining },
	}
	ready := responder.Handle(observe.Ready(responder.Draining, func() bool { return away }))
	healthy := responder.Handle(observe.Healthy)
	asks := func(handler http.Handler) (int, string) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		draining, away bool
		status         int
		says           string
	}{
		{false, false, 200, `{"status":"ready"}`},
		{false, true, 503, "cannot be reached"},
		{true, false, 503, "is restarting"},
		{true, true, 503, "is restarting"},
		{false, false, 200, `{"status":"ready"}`},
	} {
		draining, away = c.draining, c.away
		status, text := asks(ready)
		require.Equal(t, c.status, status)
		require.Contains(t, text, c.says)
		status, text = asks(healthy)
		require.Equal(t, 200, status)
		require.Equal(t, `{"status":"healthy"}`+"\n", text)
	}
	shows(t, m, `pubsub_requests_refused_total{reason="draining"} 2`, `pubsub_requests_refused_total{reason="history-away"} 1`)
}

// said is what a log says.
type said struct {
	mu   sync.Mutex // guards the next one
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// take returns what was said since it was called last.
func (s *said) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.text.Reset()
	return s.text.String()
}

// newRefusals returns refusals whose log has Info and above, and what is in that.
func newRefusals(t *testing.T) (*observe.Refusals, *observe.Metrics, *said) {
	m, _ := newMetrics(t)
	log := new(said)
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	return observe.NewRefusals(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{ReplaceAttr: noTime})), m), m, log
}

// count refuses n times, and returns how many of these get a line.
func count(f *observe.Refusals, n int, reason string, level slog.Level) (shown int) {
	for range n {
		if f.Count(reason, level) {
			shown++
		}
	}
	return shown
}

func more(level slog.Level, reason, n string) string {
	return "level=" + level.String() + ` msg="refused more, not shown one by one" reason=` + reason + " count=" + n + "\n"
}

// The first ten of a reason get a line, and all others one together after ten seconds.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, m, log := newRefusals(t)
		defer f.Close()
		require.Equal(t, 10, count(f, 10, "ten", slog.LevelInfo))
		require.Equal(t, 10, count(f, 25, "many", slog.LevelInfo))
		time.Sleep(5 * time.Second)
		require.Equal(t, 0, count(f, 5, "many", slog.LevelWarn), "they are of the same ten seconds")
		require.Equal(t, 1, count(f, 1, "one", slog.LevelInfo), "each reason has its own ten")
		require.Equal(t, 0, count(f, 30, "unseen", slog.LevelDebug), "what nobody wants to see")
		time.Sleep(5*time.Second - 1)
		synctest.Wait()
		require.Empty(t, log.take())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, more(slog.LevelWarn, "many", "20"), log.take())
		shows(t, m, `pubsub_requests_refused_total{reason="ten"} 10`, `pubsub_requests_refused_total{reason="many"} 30`,
			`pubsub_requests_refused_total{reason="one"} 1`, `pubsub_requests_refused_total{reason="unseen"} 30`)

		time.Sleep(time.Minute)
		require.Equal(t, 10, count(f, 11, "many", slog.LevelInfo), "it begins anew")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, more(slog.LevelInfo, "many", "1"), log.take())
	})
}

// At the end nothing is left unsaid, and what comes then is shown.
func TestRefusalsAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, m, log := newRefusals(t)
		require.Equal(t, 10, count(f, 12, "many", slog.LevelInfo))
		f.Close()
		require.Equal(t, more(slog.LevelInfo, "many", "2"), log.take())
		require.Equal(t, 30, count(f, 30, "many", slog.LevelInfo))
		f.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, log.take(), "once is enough")
		shows(t, m, `pubsub_requests_refused_total{reason="many"} 42`)

		f, _, log = newRefusals(t)
		f.Close()
		require.Empty(t, log.take(), "nothing was refused")
	})
}

func TestPanicsAreCounted(t *testing.T) {
	f, m, log := newRefusals(t)
	defer f.Close()
	f.CountPanic()
	f.CountPanic()
	shows(t, m, "pubsub_panics_total 2")
	require.Empty(t, log.take())
}
