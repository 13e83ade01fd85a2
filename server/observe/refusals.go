package observe

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	refusalsShown = 10 // log lines for one reason within refusalsEvery
	refusalsEvery = 10 * time.Second
)

// Refusals counts refused requests, and decides which get a log line. In ten seconds the
// first ten of each reason do, and then one line tells how many more there were. So the log
// stays readable under attack. Make it with [NewRefusals]. It is safe for concurrent use.
type Refusals struct {
	log     *slog.Logger
	metrics *Metrics

	mu     sync.Mutex // guards the fields below; held over log lines, but no other lock of this package
	counts map[string]refused
	sum    *time.Timer // nil while nothing is counted
	closed bool
}

// NewRefusals returns a Refusals that counts in metrics and logs sums to log. Close it.
func NewRefusals(log *slog.Logger, metrics *Metrics) *Refusals {
	return &Refusals{log: log, metrics: metrics}
}

// refused is how many refusals had a reason, and the level of their lines.
type refused struct {
	count int
	level slog.Level
}

// CountPanic counts a panic.
func (f *Refusals) CountPanic() { f.metrics.panics.Inc() }

// Count counts a refusal, and tells whether to log a line for it.
func (f *Refusals) Count(reason string, level slog.Level) bool {
	f.metrics.refused.WithLabelValues(reason).Inc()
	if !f.log.Enabled(context.Background(), level) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return true
	}
	if f.sum == nil {
		f.counts = make(map[string]refused)
		f.sum = time.AfterFunc(refusalsEvery, f.sumUp)
	}
	n := f.counts[reason].count + 1
	f.counts[reason] = refused{n, level}
	return n <= refusalsShown
}

// sumUp logs how many refusals got no line, and starts to count anew.
func (f *Refusals) sumUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for reason, r := range f.counts {
		if more := r.count - refusalsShown; more > 0 {
			f.log.Log(context.Background(), r.level, "refused more, not shown one by one", "reason", reason, "count", more)
		}
	}
	f.counts, f.sum = nil, nil
}

// Close logs how many refusals got no line. After that each refusal gets a line.
func (f *Refusals) Close() {
	f.mu.Lock()
	if f.sum != nil {
		f.sum.Stop()
	}
	f.closed = true
	f.mu.Unlock()
	f.sumUp()
}
