// Package observe tells operators how the server is: by metrics, health checks, and log lines
// about refused requests.
package observe

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pubsub/server/asynclog"
	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/version"
	"pubsub/server/web"
)

// Metrics counts what the server does, for Prometheus. Make it with [NewMetrics]. Its Count
// methods add what other packages count. It is safe for concurrent use.
type Metrics struct {
	Published    prometheus.Counter
	AcceptErrors prometheus.Counter

	registry *prometheus.Registry
	handler  http.Handler
	refused  *prometheus.CounterVec
	gaps     *prometheus.CounterVec
	delivery prometheus.Histogram

	panics prometheus.Counter

	deliveries atomic.Int64 // messages in answers; a prometheus.Counter could not be read back
}

// NewMetrics returns metrics, with those of a hub and its bus.
func NewMetrics(h *hub.Hub, b *bus.Bus) *Metrics {
	registry := prometheus.NewRegistry()
	m := &Metrics{
		registry: registry,
		handler:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		Published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pubsub_messages_published_total", Help: "Messages that were posted and acknowledged.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pubsub_requests_refused_total", Help: "Requests answered with an error, by its reason.",
		}, []string{"reason"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pubsub_panics_total", Help: "Requests whose handler panicked; the log has the stacks.",
		}),
		AcceptErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pubsub_accept_errors_total", Help: "Connections that could not be taken, such as for want of files.",
		}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pubsub_gaps_total", Help: "Answers that told a reader of messages it cannot have, by the reason.",
		}, []string{"reason"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "pubsub_delivery_seconds",
			Help:    "Time from the publishing of a message to its hand-over to a poll or stream that waited for it.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
	}
	m.registry.MustRegister(m.Published, m.refused, m.panics, m.AcceptErrors, m.gaps, m.delivery,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_messages_delivered_total", Help: "Messages that polls and streams were given; one message to ten of them is ten.",
		}, func() float64 { return float64(m.deliveries.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pubsub_polls_pending", Help: "Polls that wait for a message.",
		}, func() float64 { return float64(h.Waiting()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pubsub_channels", Help: "Channels with messages.",
		}, func() float64 { n, _ := h.Len(context.Background()); return float64(n) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_bus_connects_total", Help: "SUB sockets opened because no released one could be reused.",
		}, func() float64 { return float64(b.Stats().Connects) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_bus_merged_total", Help: "Rings dropped because one before them was still to be heard.",
		}, func() float64 { return float64(b.Stats().Merged) }),
	)
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pubsub_build_info", Help: "1, with what runs as labels.",
		ConstLabels: prometheus.Labels{"version": version.Number, "revision": version.Revision(), "goversion": runtime.Version()},
	}, func() float64 { return 1 }))
	for _, reason := range []string{history.Expired, history.Restarted, history.Ahead} {
		m.gaps.WithLabelValues(reason) // shows 0 before the first gap, which rate() needs
	}
	return m
}

// CountHistory shows how many bytes the messages in the log take. Call it at most once.
func (m *Metrics) CountHistory(bytes func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pubsub_history_bytes", Help: "What the messages take that are kept.",
	}, func() float64 { return float64(bytes()) }))
}

// CountPresence shows how many people are here. Call it at most once.
func (m *Metrics) CountPresence(counts func() (people int, joins, leaves int64)) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pubsub_present", Help: "Names that are present by this process, once for each channel.",
		}, func() float64 { people, _, _ := counts(); return float64(people) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_presence_joins_total", Help: "Names that came to a channel, as this process found.",
		}, func() float64 { _, joins, _ := counts(); return float64(joins) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_presence_leaves_total", Help: "Names that left a channel, as this process found.",
		}, func() float64 { _, _, leaves := counts(); return float64(leaves) }))
}

// CountAway shows whether the log cannot be reached. Call it at most once.
func (m *Metrics) CountAway(away func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pubsub_history_away", Help: "1 while the log of messages cannot be reached, else 0.",
	}, func() float64 {
		if away() {
			return 1
		}
		return 0
	}))
}

// CountCompressions shows how many answers were compressed. Call it at most once.
func (m *Metrics) CountCompressions(made func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "pubsub_compressions_total", Help: "Answers that were compressed; one that many got at about the same time is one.",
	}, made))
}

// CountDroppedLines shows how many log lines a handler has dropped. Call it at most once.
func (m *Metrics) CountDroppedLines(h *asynclog.Handler) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "pubsub_log_lines_dropped_total", Help: "Log lines that nobody took in.",
	}, func() float64 { return float64(h.Dropped()) }))
}

// Write answers GET /metrics. It takes about a millisecond. The error is always nil.
func (m *Metrics) Write(w http.ResponseWriter, r *http.Request) error {
	web.Fresh(w.Header())
	m.handler.ServeHTTP(w, r)
	return nil
}

// Deliver counts a page that is about to be written as an answer: its messages, its gap, and
// the age of its first message if the poll had to wait for it.
func (m *Metrics) Deliver(page *hub.Page) {
	if page.Gap != nil {
		m.gaps.WithLabelValues(page.Gap.Reason).Inc()
	}
	if len(page.Messages) == 0 {
		return
	}
	m.deliveries.Add(int64(len(page.Messages)))
	if page.Waited {
		m.delivery.Observe(time.Since(page.Messages[0].Time).Seconds())
	}
}

// DeliverTo is Deliver for a page that n polls or streams get at the same time.
func (m *Metrics) DeliverTo(page *hub.Page, n int) {
	if n == 0 {
		return
	}
	m.Deliver(page)
	m.deliveries.Add(int64((n - 1) * len(page.Messages)))
}

// CountDelayed shows how many requests and connections had to wait because of the request
// rate. Call it at most once.
func (m *Metrics) CountDelayed(delayed func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "pubsub_requests_delayed_total", Help: "Requests and new connections that had to wait, since their address sends more than the request rate, or opens more than a fifth as many.",
	}, func() float64 { return float64(delayed()) }))
}

// CountStreams shows how many streams are open. Call it at most once.
func (m *Metrics) CountStreams(open func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pubsub_streams", Help: "Streams that are open: Server-Sent Events, WebSockets, and lines of JSON.",
	}, func() float64 { return float64(open()) }))
}

// Delivered returns how many messages were delivered so far.
func (m *Metrics) Delivered() int64 { return m.deliveries.Load() }

// CountConnections shows how many connections are open. Call it at most once.
func (m *Metrics) CountConnections(open func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pubsub_connections", Help: "Connections that are open.",
	}, func() float64 { return float64(open()) }))
}
