package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations, up to half an hour in steps of at most 1.6 %. The
// zero value is empty. It is small, so one can be kept for every run, and they
// can be added.
type Histogram struct {
	counts [64 * 36]uint32
	n      uint64
	max    time.Duration
}

const stepBits = 6 // 64 steps for each doubling

// Add counts d.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(d)]++
	h.n++
	h.max = max(h.max, d)
}

// Merge adds all of other.
func (h *Histogram) Merge(other *Histogram) {
	for i, c := range other.counts {
		h.counts[i] += c
	}
	h.n += other.n
	h.max = max(h.max, other.max)
}

// Count is how many durations were added.
func (h *Histogram) Count() uint64 { return h.n }

// Max is the longest duration.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile is the duration that a share q of all does not exceed, 0 if there
// are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.n)), h.n-1)
	for i, c := range h.counts {
		if rank < uint64(c) {
			return min(ceiling(i), h.max)
		}
		rank -= uint64(c)
	}
	return h.max
}

func bucket(d time.Duration) int {
	v := uint64(d)
	shift := max(bits.Len64(v)-stepBits-1, 0)
	return min(shift<<stepBits+int(v>>shift), len(Histogram{}.counts)-1)
}

// ceiling is the longest duration of a bucket.
func ceiling(i int) time.Duration {
	if i < 2<<stepBits {
		return time.Duration(i)
	}
	shift := i>>stepBits - 1
	mantissa := uint64(i - shift<<stepBits)
	return time.Duration((mantissa+1)<<shift - 1)
}
