package observe

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	refusalsShown = 10 // lines for one reason in that time
	refusalsEvery = 10 * time.Second
)

// Refusals counts the refused requests, and keeps the log readable under attack: of
// those with one reason the first are shown one by one, and the rest are summed up.
type Refusals struct {
	log     *slog.Logger
	metrics *Metrics

	mu     sync.Mutex // guards the rest
	counts map[string]refused
	sum    *time.Timer // nil while nothing is counted
	closed bool
}

// NewRefusals counts in metrics, and sums up in log.
func NewRefusals(log *slog.Logger, metrics *Metrics) *Refusals {
	return &Refusals{log: log, metrics: metrics}
}

// refused is how often a reason was met, and how much it matters.
type refused struct {
	count int
	level slog.Level
}

// CountPanic counts a handler that panicked.
func (f *Refusals) CountPanic() { f.metrics.panics.Inc() }

// Count counts a refusal and tells whether it has a line in the log of its own.
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

// sumUp tells of the refusals that were not shown, and begins anew.
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

// Close sums up what is left. Nothing is counted after it.
func (f *Refusals) Close() {
	f.mu.Lock()
	if f.sum != nil {
		f.sum.Stop()
	}
	f.closed = true
	f.mu.Unlock()
	f.sumUp()
}
