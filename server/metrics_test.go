package server_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// metric reads one series, such as name{reason="x"}.
func (s *running) metric(t *testing.T, series string) float64 {
	name, label, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(s.get(t, "/metrics")))
	require.NoError(t, err)
	for _, m := range families[name].GetMetric() {
		var labels []string
		for _, pair := range m.GetLabel() {
			labels = append(labels, pair.GetName()+`="`+pair.GetValue()+`"`)
		}
		if strings.Join(labels, ",") != label {
			continue
		}
		return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	return 0
}

func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	config := open()
	config.HistoryMessages = 5
	config.MaxPollsPerAddress = 3
	s := start(t, config)

	problems, err := promlint.New(strings.NewReader(s.get(t, "/metrics"))).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		require.False(t, strings.HasPrefix(p.Metric, "pubsub_"), "%s: %s", p.Metric, p.Text)
	}

	cursor := cursorOf(t, s.get(t, "/sub?since=now&timeout=0"))
	polls := []string{"/sub", "/sub?since=now", "/subscribe/chat"}
	for _, path := range polls {
		conn := s.dial(t, path)
		defer conn.Close()
	}
	s.polling(t, len(polls))
	require.EqualValues(t, len(polls), s.metric(t, "pubsub_polls_pending"))
	resp, _ := s.do(t, "GET", "/sub", "")
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	s.post(t, "one")
	s.polling(t, 0)
	require.EqualValues(t, len(polls), s.metric(t, "pubsub_messages_delivered_total"))
	require.EqualValues(t, len(polls), s.metric(t, "pubsub_delivery_seconds"))

	for range 6 {
		s.post(t, "more")
	}
	for range 2 { // the same key: published once
		resp, _ = s.do(t, "POST", "/pub/room?message=hi", "", "Idempotency-Key: k")
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	s.get(t, "/sub?timeout=0&since="+cursor)     // expired by 2, and 5 messages
	s.get(t, "/sub?timeout=0&since=elsewhere-3") // restarted, and 5
	s.get(t, "/sub/room?timeout=0&since=now")
	for path, status := range map[string]int{"/nothing": 404, "/sub?since=x": 400} {
		resp, _ = s.do(t, "GET", path, "")
		require.Equal(t, status, resp.StatusCode)
	}
	resp, _ = s.do(t, "POST", "/sub", "")
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)

	for series, want := range map[string]float64{
		"pubsub_polls_pending":                                      0,
		"pubsub_messages_published_total":                           8,
		"pubsub_messages_delivered_total":                           13,
		"pubsub_delivery_seconds":                                   3,
		"pubsub_channels":                                           2,
		`pubsub_gaps_total{reason="expired"}`:                       1,
		`pubsub_gaps_total{reason="restarted"}`:                     1,
		`pubsub_gaps_total{reason="ahead"}`:                         0,
		`pubsub_requests_refused_total{reason="polls-per-address"}`: 1,
		`pubsub_requests_refused_total{reason="not-found"}`:         1,
		`pubsub_requests_refused_total{reason="malformed"}`:         1,
		`pubsub_requests_refused_total{reason="method"}`:            1,
		"pubsub_bus_connects_total":                                 3,
	} {
		require.Equal(t, want, s.metric(t, series), series)
	}
	require.Positive(t, s.metric(t, "go_goroutines"))
	require.Positive(t, s.metric(t, "process_resident_memory_bytes"))
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	s := start(t, open())
	require.Contains(t, s.get(t, "/healthz"), "healthy")
	require.Contains(t, s.get(t, "/readyz"), "ready")
}

func TestNotReadyWhileDraining(t *testing.T) {
	config := open()
	bubble(t, config, func(t *testing.T, p *pipes, stop func()) {
		stop()
		synctest.Wait() // until the drain has begun
		for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/sub": 503, "/sub?since=now": 200} {
			client := p.dial() // within the time that a drain listens on
			_, err := client.Write([]byte(request(path)))
			require.NoError(t, err)
			status, _ := answer(t, client)
			require.Equal(t, want, status, path)
			client.Close()
		}
		client := p.dial()
		_, err := client.Write([]byte("POST /pub?message=hi HTTP/1.1\r\nHost: chat\r\n\r\n"))
		require.NoError(t, err)
		status, body := answer(t, client)
		require.Equal(t, 503, status)
		require.Contains(t, body, "restarting")
		client.Close()
	})
}
