package bus

import (
	"slices"
	"sync"
	"time"
)

// spareReleased is how many more SUBs may be kept than were lately in use at a time.
const spareReleased = 256

// pool keeps the SUBs that polls have released for the next poll of the same channel, up
// to the idle timeout. It keeps no more than may be needed, because a client that goes from
// channel to channel must not fill the memory. Its methods are safe for concurrent use.
type pool struct {
	idleTimeout time.Duration

	mu     sync.Mutex                 // guards the fields below; no other lock is taken under it
	subs   map[string][]*Subscription // by channel, longest released first
	count  int                        // of all subs
	inUse  int                        // taken and not put back
	most   int                        // the highest inUse since the last sweep
	before int                        // the highest inUse between the last two sweeps
	sweeps *time.Timer                // nil while there is nothing to sweep
	closed bool
}

func newPool(idleTimeout time.Duration) *pool {
	return &pool{idleTimeout: idleTimeout, subs: make(map[string][]*Subscription)}
}

// take returns the SUB of a channel that was released last, nil if there is none. In both
// cases the caller has one more SUB in use, and must call put or lost.
func (r *pool) take(channel string) *Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inUse++
	r.most = max(r.most, r.inUse)
	subs := r.subs[channel]
	if len(subs) == 0 {
		return nil
	}
	last := len(subs) - 1
	sub := subs[last]
	subs[last] = nil // frees it, as the array stays
	r.keep(channel, subs[:last])
	r.count--
	return sub
}

// keep sets the released SUBs of a channel. mu is held.
func (r *pool) keep(channel string, subs []*Subscription) {
	if len(subs) == 0 {
		delete(r.subs, channel)
		return
	}
	r.subs[channel] = subs
}

// lost tells that a caller of take has no SUB to put back.
func (r *pool) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inUse--
}

// put keeps a SUB for the next poll of its channel, or closes it.
func (r *pool) put(sub *Subscription) {
	if !r.add(sub) {
		sub.close()
	}
}

func (r *pool) add(sub *Subscription) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inUse--
	if r.closed || r.count >= max(r.most, r.before)+spareReleased {
		return false
	}
	sub.releasedAt = time.Now()
	r.subs[sub.channel] = append(r.subs[sub.channel], sub)
	r.count++
	if r.sweeps == nil {
		r.sweeps = time.AfterFunc(r.idleTimeout, r.sweep)
	}
	return true
}

// sweep closes the SUBs that were kept for the idle timeout. It runs again while any are
// left.
func (r *pool) sweep() {
	r.mu.Lock()
	r.before, r.most = r.most, r.inUse
	old := r.cut(time.Now().Add(-r.idleTimeout))
	switch {
	case r.closed:
	case r.count > 0:
		r.sweeps.Reset(r.idleTimeout / 2)
	default:
		r.sweeps = nil
	}
	r.mu.Unlock()
	closeAll(old)
}

// cut removes the SUBs that were released at a time or before. mu is held.
func (r *pool) cut(before time.Time) (old []*Subscription) {
	for channel, subs := range r.subs {
		n := 0
		for n < len(subs) && !subs[n].releasedAt.After(before) {
			n++
		}
		if n > 0 {
			old = append(old, subs[:n]...)
			r.keep(channel, slices.Clone(subs[n:])) // a clone, because the rest of a long array would stay in memory
		}
	}
	r.count -= len(old)
	return old
}

// close closes the SUBs that are kept. put closes all later ones.
func (r *pool) close() {
	r.mu.Lock()
	r.closed = true
	if r.sweeps != nil {
		r.sweeps.Stop()
	}
	old := r.cut(time.Now())
	r.mu.Unlock()
	closeAll(old)
}

func closeAll(subs []*Subscription) {
	for _, sub := range subs {
		sub.close()
	}
}

func (r *pool) len() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.count)
}
