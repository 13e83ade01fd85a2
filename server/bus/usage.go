package bus

import "sync/atomic"

// usage knows how many SUBs were in use at a time lately. Its zero value is none.
// Its methods are safe for concurrent use.
type usage struct {
	now    atomic.Int64
	peak   atomic.Int64 // since forget was called last
	before atomic.Int64 // the peak before that
}

func (u *usage) enter() {
	n := u.now.Add(1)
	for peak := u.peak.Load(); n > peak && !u.peak.CompareAndSwap(peak, n); peak = u.peak.Load() {
	}
}

func (u *usage) leave() { u.now.Add(-1) }

// most is how many were in use at a time, as far back as the last call of forget
// but one.
func (u *usage) most() int64 { return max(u.peak.Load(), u.before.Load()) }

// forget lets what is long ago count no more.
func (u *usage) forget() { u.before.Store(u.peak.Swap(u.now.Load())) }
