package presence

import (
	"container/list"
	"net/netip"
	"strings"
	"sync"
	"time"

	"pubsub/server/history"
	"pubsub/server/roster"
	"pubsub/server/shares"
	"pubsub/server/web"
)

// here is who is present by a connection to this process, or was so a moment ago. Nothing
// is done for somebody whose stream stays open.
type here struct {
	options Options

	mu      sync.Mutex // guards all below
	people  map[roster.Person]*person
	grace   list.List // of *person: those without a connection, by when they leave
	ofGrace shares.Shares[netip.Addr]
	ofRoom  map[placeOf]int // names that came first from an address
	changes changes
}

// placeOf is an address in a channel.
type placeOf struct {
	channel string
	by      netip.Addr
}

// person is somebody who is here.
type person struct {
	roster.Person
	open    int           // connections
	first   netip.Addr    // from where it came
	by      netip.Addr    // of the one that ended last
	until   time.Time     // leaves then, unless there is a connection
	inGrace *list.Element // nil while there is one
}

func newHere(o Options) *here {
	return &here{options: o, people: make(map[roster.Person]*person), ofRoom: make(map[placeOf]int), changes: newChanges()}
}

// enter has a name be present in channels, other than companions, until leave is called.
// The error is a [web.Problem]: then the name is present in none.
func (h *here) enter(by netip.Addr, name string, channels []string) (leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.admit(by, name, channels); err != nil {
		return nil, err
	}
	entered := make([]*person, 0, len(channels))
	for _, channel := range channels {
		if !history.IsCompanion(channel) {
			entered = append(entered, h.connect(by, roster.Person{Channel: channel, Name: name}))
		}
	}
	return func() { h.disconnect(by, entered) }, nil
}

// admit refuses who would be too many. mu is held.
func (h *here) admit(by netip.Addr, name string, channels []string) error {
	fresh, most := 0, 0
	for _, channel := range channels {
		if h.people[roster.Person{Channel: channel, Name: name}] == nil && !history.IsCompanion(channel) {
			fresh++
			most = max(most, h.ofRoom[placeOf{channel, by}])
		}
	}
	switch {
	case fresh == 0:
		return nil
	case len(h.people)+fresh > h.options.People:
		return web.About(field, web.Full("presence", "As many people are here as this server can count. Come back later, or leave out the field presence."))
	case web.Reached(most, h.options.OfRoom):
		return web.About(field, web.TooMany("presence-per-room", web.Soon, "People under %d names are here from your address already. Take one of these, or leave out the field presence.", h.options.OfRoom))
	case h.options.OfAddress > 0 && h.ofGrace.Of(by)+fresh > h.options.OfAddress:
		return web.About(field, web.TooMany("presence-per-address", web.Soon, "People of your address have just left as many channels as it may have polls. Wait a moment, or leave out the field presence."))
	}
	return nil
}

// connect counts a connection of somebody. mu is held.
func (h *here) connect(by netip.Addr, who roster.Person) *person {
	p := h.people[who]
	switch {
	case p == nil:
		who.Name = strings.Clone(who.Name) // the name is a part of a request, which need not be kept
		p = &person{Person: who, first: by}
		h.people[who] = p
		h.ofRoom[placeOf{who.Channel, by}]++
		h.changes.add(change{who, true})
	case p.inGrace != nil:
		h.endGrace(p)
	}
	p.open++
	return p
}

// disconnect ends a connection of people.
func (h *here) disconnect(by netip.Addr, people []*person) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range people {
		if p.open--; p.open == 0 {
			p.by, p.until = by, time.Now().Add(h.options.Grace)
			p.inGrace = h.grace.PushBack(p)
			h.ofGrace.Add(by, 1)
		}
	}
}

func (h *here) endGrace(p *person) {
	h.grace.Remove(p.inGrace)
	h.ofGrace.Add(p.by, -1)
	p.inGrace = nil
}

// expire has those leave whose grace is over.
func (h *here) expire(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for first := h.grace.Front(); first != nil; first = h.grace.Front() {
		p := first.Value.(*person)
		if p.until.After(now) {
			return
		}
		h.endGrace(p)
		delete(h.people, p.Person)
		at := placeOf{p.Channel, p.first}
		if h.ofRoom[at]--; h.ofRoom[at] == 0 {
			delete(h.ofRoom, at)
		}
		h.changes.add(change{p.Person, false})
	}
}

// all returns everybody.
func (h *here) all() []roster.Person {
	h.mu.Lock()
	defer h.mu.Unlock()
	everybody := make([]roster.Person, 0, len(h.people))
	for who := range h.people {
		everybody = append(everybody, who)
	}
	return everybody
}

// len returns how many people are here.
func (h *here) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.people)
}

// take returns what has changed since it was last called; call done when the roster has it.
// If some is lost, it returns nothing: then the roster is to be given all.
func (h *here) take() (all []change, lost bool, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changes.take()
}

// end has nothing be kept for take any more.
func (h *here) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes.ended = true
}

// taken returns a channel that is closed when the roster has all changes so far; nil if it
// has them.
func (h *here) taken() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changes.taken()
}
