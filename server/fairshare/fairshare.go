// Package fairshare counts how much each holder has of something limited, such as connections,
// polls or bytes of messages. It knows the holder that has most, which makes room when a
// limit is reached.
package fairshare

import "container/heap"

// Reached tells whether n has reached a limit. A limit of 0 is no limit.
func Reached(n, limit int) bool { return limit > 0 && n >= limit }

// Shares counts what each holder has, in any unit. The zero value is empty. It is not safe
// for concurrent use. Add takes O(log holders) time, and the rest O(1).
type Shares[K comparable] struct {
	byHolder map[K]*share[K]
	largest  byWeight[K]
	total    int
}

type share[K comparable] struct {
	holder K
	weight int
	at     int // index in largest
}

// Add adds n to what a holder has, and returns the sum. n may be negative, but the sum must
// not. A holder with 0 takes no memory.
func (s *Shares[K]) Add(holder K, n int) int {
	share := s.shareOf(holder)
	if s.add(share, n); share.weight == 0 {
		s.drop(share)
	}
	return share.weight
}

// of returns a holder's share, and makes it if there is none.
func (s *Shares[K]) shareOf(holder K) *share[K] {
	known := s.byHolder[holder]
	if known == nil {
		if s.byHolder == nil {
			s.byHolder = make(map[K]*share[K])
		}
		known = &share[K]{holder: holder}
		s.byHolder[holder] = known
		heap.Push(&s.largest, known)
	}
	return known
}

func (s *Shares[K]) add(share *share[K], n int) {
	s.total += n
	share.weight += n
	heap.Fix(&s.largest, share.at)
}

func (s *Shares[K]) drop(share *share[K]) {
	heap.Remove(&s.largest, share.at)
	delete(s.byHolder, share.holder)
}

// Of returns what a holder has.
func (s *Shares[K]) Of(holder K) int {
	if had := s.byHolder[holder]; had != nil {
		return had.weight
	}
	return 0
}

// Total returns what all holders have together.
func (s *Shares[K]) Total() int { return s.total }

// Largest returns the holder that has most, and how much, which is 0 if there is no holder.
// Of several with the same it returns any.
func (s *Shares[K]) Largest() (holder K, weight int) {
	if len(s.largest) == 0 {
		return holder, 0
	}
	return s.largest[0].holder, s.largest[0].weight
}

// byWeight is a heap.Interface, with the largest share first.
type byWeight[K comparable] []*share[K]

func (h byWeight[K]) Len() int           { return len(h) }
func (h byWeight[K]) Less(i, j int) bool { return h[i].weight > h[j].weight }
func (h byWeight[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *byWeight[K]) Push(x any) {
	s := x.(*share[K])
	s.at = len(*h)
	*h = append(*h, s)
}

func (h *byWeight[K]) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return s
}
