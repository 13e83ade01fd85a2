package server

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

// refusals keeps the log readable under attack: of the refused requests with one
// reason the first are shown one by one, and the rest are summed up.
type refusals struct {
	log *slog.Logger

	mu     sync.Mutex // guards the rest
	counts map[string]refused
	sum    *time.Timer // nil while nothing is counted
	closed bool
}

// refused is how often a reason was met, and how much it matters.
type refused struct {
	count int
	level slog.Level
}

// show counts a refusal and tells whether it has a line of its own.
func (f *refusals) show(reason string, level slog.Level) bool {
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
func (f *refusals) sumUp() {
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
func (f *refusals) Close() {
	f.mu.Lock()
	if f.sum != nil {
		f.sum.Stop()
	}
	f.closed = true
	f.mu.Unlock()
	f.sumUp()
}
