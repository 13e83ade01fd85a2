// Package wheel has a timer for thousands of waits. Each takes a few words of memory and no
// runtime timer, and is due at most an eighth of a second late.
package wheel

import (
	"sync"
	"time"
)

const (
	tick  = time.Second / 8
	slots = 1024 // two minutes; longer waits go round more than once
)

// Wheel calls waiters when their time is over. The zero value is empty, and need not be
// closed. Its methods are safe for concurrent use.
type Wheel struct {
	mu    sync.Mutex // guards the fields below and the entries; no other lock is taken under it
	slots [slots]*Entry
	count int
	began time.Time // of tick 0
	done  int64     // last tick that was looked at
	next  int64     // tick for which timer is set; 0 if it is not
	timer *time.Timer
}

// Waiter is called when its wait is over. Due must not wait, because it delays other waiters.
// No lock is held.
type Waiter interface{ Due() }

// Entry is a wait, to be embedded in its Waiter. The zero value is in no wheel.
type Entry struct {
	prev, next *Entry
	waiter     Waiter
	at         int64 // tick; 0 if it is in no wheel
}

// Add makes waiter.Due be called after a time. The entry must be in no wheel.
func (w *Wheel) Add(e *Entry, after time.Duration, waiter Waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 { // the clock of an empty wheel stands still
		w.began, w.done = time.Now(), 0
	}
	w.count++
	e.waiter = waiter
	e.at = max(int64((time.Since(w.began)+after+tick-1)/tick), w.done+1)
	head := &w.slots[e.at%slots]
	if e.next = *head; e.next != nil {
		e.next.prev = e
	}
	*head = e
	if w.next == 0 || e.at < w.next {
		w.wakeAt(e.at)
	}
}

// Remove removes an entry. It returns false if the entry is in no wheel: it was never added,
// or Due is being called or was.
func (w *Wheel) Remove(e *Entry) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.at == 0 {
		return false
	}
	w.unlink(e)
	if w.count == 0 {
		w.next = 0
		w.timer.Stop()
	}
	return true
}

// unlink removes an entry, which must be in the wheel. mu is held.
func (w *Wheel) unlink(e *Entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		w.slots[e.at%slots] = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	*e = Entry{}
	w.count--
}

// wakeAt sets the timer for a tick. mu is held.
func (w *Wheel) wakeAt(at int64) {
	w.next = at
	wait := time.Until(w.began.Add(time.Duration(at) * tick))
	if w.timer == nil {
		w.timer = time.AfterFunc(wait, w.turn)
	} else {
		w.timer.Reset(wait)
	}
}

// turn calls Due for the entries whose time is over.
func (w *Wheel) turn() {
	for _, waiter := range w.takeDue() {
		waiter.Due()
	}
}

func (w *Wheel) takeDue() (all []Waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return nil
	}
	for now := int64(time.Since(w.began) / tick); w.done < now; {
		w.done++
		for e := w.slots[w.done%slots]; e != nil; {
			next := e.next
			if e.at <= w.done {
				all = append(all, e.waiter)
				w.unlink(e)
			}
			e = next
		}
	}
	w.next = 0
	if w.count > 0 {
		w.wakeAt(w.nextDue())
	}
	return all
}

// nextDue returns the next tick that has entries, or an earlier one. mu is held.
func (w *Wheel) nextDue() int64 {
	at := w.done + 1
	for at < w.done+slots && w.slots[at%slots] == nil {
		at++
	}
	return at
}
