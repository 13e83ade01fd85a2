package fairshare

import "iter"

// Holdings lists what each holder has: values with weights, in the order in which they were
// added. The zero value is empty. It is not safe for concurrent use.
//
// Polls come and go by the thousand. So adding a value takes one allocation and one look-up,
// and removing it takes neither.
type Holdings[K comparable, T any] struct {
	Weights  Shares[K] // the weight of each holder's values; read-only
	byHolder map[K]*chain[K, T]
}

// chain lists the holdings of one holder, oldest first.
type chain[K comparable, T any] struct {
	share       *share[K]
	first, last *Holding[K, T]
}

// Holding is a value of a holder.
type Holding[K comparable, T any] struct {
	Value      T
	weight     int
	chain      *chain[K, T] // nil after it was removed
	prev, next *Holding[K, T]
}

// Holder returns the holder. It panics after the holding was removed.
func (h *Holding[K, T]) Holder() K { return h.chain.share.holder }

// Add adds a value to a holder. The weight must not be negative.
func (h *Holdings[K, T]) Add(holder K, value T, weight int) *Holding[K, T] {
	chain := h.chainOf(holder)
	h.Weights.add(chain.share, weight)
	held := &Holding[K, T]{Value: value, weight: weight, chain: chain, prev: chain.last}
	if chain.last == nil {
		chain.first = held
	} else {
		chain.last.next = held
	}
	chain.last = held
	return held
}

// chainOf returns a holder's chain, and makes it if there is none.
func (h *Holdings[K, T]) chainOf(holder K) *chain[K, T] {
	known := h.byHolder[holder]
	if known == nil {
		if h.byHolder == nil {
			h.byHolder = make(map[K]*chain[K, T])
		}
		known = &chain[K, T]{share: h.Weights.shareOf(holder)}
		h.byHolder[holder] = known
	}
	return known
}

// Remove removes a holding. It returns false if held is nil or was removed before.
func (h *Holdings[K, T]) Remove(held *Holding[K, T]) bool {
	if held == nil || held.chain == nil {
		return false
	}
	chain := held.chain
	chain.unlink(held)
	h.Weights.add(chain.share, -held.weight)
	if chain.first == nil {
		delete(h.byHolder, chain.share.holder)
		h.Weights.drop(chain.share)
	}
	return true
}

func (c *chain[K, T]) unlink(held *Holding[K, T]) {
	if held.prev == nil {
		c.first = held.next
	} else {
		held.prev.next = held.next
	}
	if held.next == nil {
		c.last = held.prev
	} else {
		held.next.prev = held.prev
	}
	// So that a removed holding does not keep its neighbours in memory.
	held.chain, held.prev, held.next = nil, nil, nil
}

// Of returns a holder's values, oldest first. The loop may remove the holding that it is at.
func (h *Holdings[K, T]) Of(holder K) iter.Seq[*Holding[K, T]] {
	return func(yield func(*Holding[K, T]) bool) {
		chain := h.byHolder[holder]
		if chain == nil {
			return
		}
		for next := chain.first; next != nil; {
			held := next
			next = held.next
			if !yield(held) {
				return
			}
		}
	}
}
