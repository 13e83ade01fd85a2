package shares

import "iter"

// Holdings is what each holder has, one by one, each with a weight. Its zero value
// is empty. It is not safe for concurrent use. What comes and goes with each poll
// is one allocation and one look-up.
type Holdings[K comparable, T any] struct {
	Weights  Shares[K] // to be read; Add and Remove change it
	byHolder map[K]*holder[K, T]
}

// holder is who has something, what it got first first.
type holder[K comparable, T any] struct {
	share       *share[K]
	first, last *Holding[K, T]
}

// Holding is one thing that a holder has.
type Holding[K comparable, T any] struct {
	Thing      T
	weight     int
	holder     *holder[K, T] // nil once it was removed
	prev, next *Holding[K, T]
}

// Holder is whose it is, until it is removed.
func (h *Holding[K, T]) Holder() K { return h.holder.share.holder }

// Add gives holder a thing.
func (h *Holdings[K, T]) Add(key K, thing T, weight int) *Holding[K, T] {
	who := h.byHolder[key]
	if who == nil {
		if h.byHolder == nil {
			h.byHolder = make(map[K]*holder[K, T])
		}
		who = &holder[K, T]{share: h.Weights.of(key)}
		h.byHolder[key] = who
	}
	h.Weights.add(who.share, weight)
	held := &Holding[K, T]{Thing: thing, weight: weight, holder: who, prev: who.last}
	if who.last == nil {
		who.first = held
	} else {
		who.last.next = held
	}
	who.last = held
	return held
}

// Remove takes a thing back. It tells whether it was still there; nil never is.
func (h *Holdings[K, T]) Remove(held *Holding[K, T]) bool {
	if held == nil || held.holder == nil {
		return false
	}
	who := held.holder
	if held.prev == nil {
		who.first = held.next
	} else {
		held.prev.next = held.next
	}
	if held.next == nil {
		who.last = held.prev
	} else {
		held.next.prev = held.prev
	}
	held.holder, held.prev, held.next = nil, nil, nil // who keeps this one keeps none of the others
	h.Weights.add(who.share, -held.weight)
	if who.first == nil {
		delete(h.byHolder, who.share.holder)
		h.Weights.drop(who.share)
	}
	return true
}

// Of is what a holder has, what it got first first. The one at hand may be removed.
func (h *Holdings[K, T]) Of(key K) iter.Seq[*Holding[K, T]] {
	return func(yield func(*Holding[K, T]) bool) {
		who := h.byHolder[key]
		if who == nil {
			return
		}
		for next := who.first; next != nil; {
			held := next
			next = held.next
			if !yield(held) {
				return
			}
		}
	}
}
