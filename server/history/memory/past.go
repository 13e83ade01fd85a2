package memory

import (
	"container/list"
	"crypto/rand"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Bounds of what is remembered of channels whose messages are gone.
const (
	pastFor   = 24 * time.Hour
	pastBytes = 64 << 20
	pastEntry = 256 // bytes of one, without its name
)

// past remembers channels whose messages are gone, so that their ids go on and
// their readers are told exactly what they missed. What does not fit or is too
// old is forgotten, longest gone first.
type past struct {
	byName map[string]*list.Element
	gone   list.List // of *gone, the first gone first
	bytes  int

	// highest is the highest id of a channel that was forgotten before its time.
	// A channel that may be that one begins above it, so that who keeps bare ids
	// misses nothing.
	highest uint64

	// epochs are the log's own, for channels that nobody has posted to: this one
	// and the one before. A place in the older one is from before its channel was
	// posted to, as long as none is forgotten within its time.
	epochs  atomic.Pointer[[2]string] // read without channelsMu
	renewed time.Time
}

// gone is a channel without messages.
type gone struct {
	name string
	state
	at time.Time
}

func newPast() *past {
	p := &past{byName: make(map[string]*list.Element), renewed: time.Now()}
	p.epochs.Store(&[2]string{newEpoch()})
	return p
}

// newEpoch returns a name that no epoch had before: 12 of a–z 2–7, 60 random bits.
func newEpoch() string { return strings.ToLower(rand.Text()[:12]) }

// add remembers a channel.
func (p *past) add(name string, s state, now time.Time) {
	p.byName[name] = p.gone.PushBack(&gone{name, s, now})
	p.bytes += pastEntry + len(name)
	for p.bytes > pastBytes {
		p.highest = max(p.highest, p.forget(p.gone.Front()).last)
	}
}

func (p *past) forget(e *list.Element) *gone {
	g := p.gone.Remove(e).(*gone)
	delete(p.byName, g.name)
	p.bytes -= pastEntry + len(g.name)
	return g
}

// forgetOld forgets what is gone for long enough: longer than an epoch of the log is
// good for, of which two sweeps may come late.
func (p *past) forgetOld(now time.Time) {
	for e := p.gone.Front(); e != nil && now.Sub(e.Value.(*gone).at) >= pastFor+2*sweepEvery; e = p.gone.Front() {
		p.forget(e)
	}
	if now.Sub(p.renewed) >= pastFor/2 {
		p.epochs.Store(&[2]string{newEpoch(), p.epochs.Load()[0]})
		p.renewed = now
	}
}

// take returns what a channel goes on from that is posted to, and remembers it no
// more.
func (p *past) take(name string) state {
	if e := p.byName[name]; e != nil {
		return p.forget(e).state
	}
	return state{epoch: newEpoch(), before: p.highest, last: p.highest}
}

// look returns what a channel without messages is.
func (p *past) look(name string) state {
	if e := p.byName[name]; e != nil {
		return e.Value.(*gone).state
	}
	return state{epoch: p.epochs.Load()[0], before: p.highest, last: p.highest}
}

// isEpoch tells whether an epoch is the log's own.
func (p *past) isEpoch(epoch string) bool {
	return epoch != "" && slices.Contains(p.epochs.Load()[:], epoch)
}
