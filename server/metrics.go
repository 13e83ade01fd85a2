package server

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/hub"
)

// metrics is what the server counts, in Prometheus' format.
type metrics struct {
	registry  *prometheus.Registry
	published prometheus.Counter
	delivered prometheus.Counter
	refused   *prometheus.CounterVec
	gaps      *prometheus.CounterVec
	delivery  prometheus.Histogram
}

func newMetrics(h *hub.Hub, b *bus.Bus) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pubsub_messages_published_total", Help: "Messages that were posted and acknowledged.",
		}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pubsub_messages_delivered_total", Help: "Messages in answers to polls; one message to ten polls is ten.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pubsub_requests_refused_total", Help: "Requests answered with an error, by its reason.",
		}, []string{"reason"}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pubsub_gaps_total", Help: "Answers that told a reader of messages it cannot have, by the reason.",
		}, []string{"reason"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "pubsub_delivery_seconds",
			Help:    "Time from the publishing of a message to its hand-over to a poll that waited for it.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
	}
	m.registry.MustRegister(m.published, m.delivered, m.refused, m.gaps, m.delivery,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pubsub_polls_pending", Help: "Polls that wait for a message.",
		}, func() float64 { return float64(h.Waiting()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pubsub_channels", Help: "Channels in the log.",
		}, func() float64 { return float64(len(h.Channels())) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_bus_connects_total", Help: "SUB sockets opened because no released one could be reused.",
		}, func() float64 { return float64(b.Stats().Connects) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "pubsub_bus_cutoffs_total", Help: "SUB sockets cut off because they fell too far behind.",
		}, func() float64 { return float64(b.Stats().CutOffs) }),
	)
	for _, reason := range []string{history.Expired, history.Restarted, history.Ahead} {
		m.gaps.WithLabelValues(reason) // so that a rate over it begins at 0
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// handedOver counts what a poll that began at the given time is answered with.
func (m *metrics) handedOver(page history.Page, began time.Time) {
	if page.Gap != nil {
		m.gaps.WithLabelValues(page.Gap.Reason).Inc()
	}
	if len(page.Messages) == 0 {
		return
	}
	m.delivered.Add(float64(len(page.Messages)))
	if published := page.Messages[0].Time; published.After(began) { // else it was there already
		m.delivery.Observe(time.Since(published).Seconds())
	}
}
