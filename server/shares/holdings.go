package shares

import (
	"container/list"
	"iter"
)

// Holdings is what each holder has, one by one, each with a weight. Its zero value
// is empty. It is not safe for concurrent use.
type Holdings[K comparable, T any] struct {
	Weights  Shares[K] // to be read; Add and Remove change it
	byHolder map[K]*list.List
}

// Holding is one thing that a holder has.
type Holding[K comparable, T any] struct {
	Holder  K
	Thing   T
	weight  int
	element *list.Element // nil once it was removed
}

// Add gives holder a thing.
func (h *Holdings[K, T]) Add(holder K, thing T, weight int) *Holding[K, T] {
	all := h.byHolder[holder]
	if all == nil {
		if h.byHolder == nil {
			h.byHolder = make(map[K]*list.List)
		}
		all = list.New()
		h.byHolder[holder] = all
	}
	h.Weights.Add(holder, weight)
	held := &Holding[K, T]{Holder: holder, Thing: thing, weight: weight}
	held.element = all.PushBack(held)
	return held
}

// Remove takes a thing back. It tells whether it was still there; nil never is.
func (h *Holdings[K, T]) Remove(held *Holding[K, T]) bool {
	if held == nil || held.element == nil {
		return false
	}
	all := h.byHolder[held.Holder]
	all.Remove(held.element)
	held.element = nil
	h.Weights.Add(held.Holder, -held.weight)
	if all.Len() == 0 {
		delete(h.byHolder, held.Holder)
	}
	return true
}

// Of is what holder has, what it got first first.
func (h *Holdings[K, T]) Of(holder K) iter.Seq[*Holding[K, T]] {
	return func(yield func(*Holding[K, T]) bool) {
		all := h.byHolder[holder]
		if all == nil {
			return
		}
		for e := all.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(*Holding[K, T])) {
				return
			}
		}
	}
}
