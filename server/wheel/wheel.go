// Package wheel has a timer for many thousand waits. Each costs a few words and no timer of
// the runtime, and is told within an eighth of a second of its time.
package wheel

import (
	"sync"
	"time"
)

const (
	tick  = time.Second / 8
	slots = 1024 // two minutes; what is due later goes round again
)

// Wheel tells waits when they are due. Its zero value has none, and needs no closing. Its
// methods are safe for concurrent use.
type Wheel struct {
	mu    sync.Mutex // guards all below, and the entries; nothing else is locked under it
	slots [slots]*Entry
	count int
	began time.Time // of tick 0
	done  int64     // ticks that were looked at
	next  int64     // tick for which the timer is set; 0 if it is not
	timer *time.Timer
}

// Waiter is who waits. Due is called in a goroutine that others wait for: it must not wait.
type Waiter interface{ Due() }

// Entry is a wait, embedded in what waits. Its zero value is in no wheel.
type Entry struct {
	prev, next *Entry
	waiter     Waiter
	at         int64 // tick; 0 if it is in no wheel
}

// Add has a waiter told after some time. The entry must be in no wheel.
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

// Remove takes an entry out. It returns false if that is in no wheel: it was never added, or
// its waiter is told.
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

// unlink takes an entry out that is in. mu is held.
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

// wakeAt sets the timer. mu is held.
func (w *Wheel) wakeAt(at int64) {
	w.next = at
	wait := time.Until(w.began.Add(time.Duration(at) * tick))
	if w.timer == nil {
		w.timer = time.AfterFunc(wait, w.turn)
	} else {
		w.timer.Reset(wait)
	}
}

// turn calls those that are due.
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

// nextDue is the next tick that has entries, or one before that. mu is held.
func (w *Wheel) nextDue() int64 {
	at := w.done + 1
	for at < w.done+slots && w.slots[at%slots] == nil {
		at++
	}
	return at
}
