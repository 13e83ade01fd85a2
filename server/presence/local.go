package presence

import (
	"container/list"
	"net/netip"
	"strings"
	"sync"
	"time"

	"pubsub/server/fairshare"
	"pubsub/server/history"
	"pubsub/server/roster"
	"pubsub/server/web"
)

// local is the set of people who have a connection to this process, or had one a moment ago. A
// stream that stays open costs nothing here.
type local struct {
	options Options

	mu      sync.Mutex // guards the fields below; no other lock is taken under it
	people  map[roster.Person]*person
	grace   list.List                    // of *person: those without a connection, sorted by until
	ofGrace fairshare.Shares[netip.Addr] // people in grace, by address
	ofRoom  map[placeOf]int              // names that first came from an address
	changes changes
}

// placeOf is an address in a channel.
type placeOf struct {
	channel string
	by      netip.Addr
}

// person is a name in a channel.
type person struct {
	roster.Person
	open    int           // connections
	first   netip.Addr    // the address of the first connection
	by      netip.Addr    // the address of the last connection
	until   time.Time     // when the person leaves if there is no connection
	inGrace *list.Element // nil while there is a connection
}

func newLocal(o Options) *local {
	return &local{options: o, people: make(map[roster.Person]*person), ofRoom: make(map[placeOf]int), changes: newChanges()}
}

// enter makes a name present in channels, except companions, until leave is called. If the
// error is not nil, it is a [web.Problem], and the name is present in none.
func (h *local) enter(by netip.Addr, name string, channels []string) (leave func(), err error) {
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

// admit refuses a name that would be one too many. mu is held.
func (h *local) admit(by netip.Addr, name string, channels []string) error {
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
	case fairshare.Reached(most, h.options.OfRoom):
		return web.About(field, web.TooMany("presence-per-room", web.Soon, "People under %d names are here from your address already. Take one of these, or leave out the field presence.", h.options.OfRoom))
	case h.options.OfAddress > 0 && h.ofGrace.Of(by)+fresh > h.options.OfAddress:
		return web.About(field, web.TooMany("presence-per-address", web.Soon, "People of your address have just left as many channels as it may have polls. Wait a moment, or leave out the field presence."))
	}
	return nil
}

// connect counts a connection of a person. mu is held.
func (h *local) connect(by netip.Addr, who roster.Person) *person {
	p := h.people[who]
	switch {
	case p == nil:
		who.Name = strings.Clone(who.Name) // the name is part of a request, which would stay in memory
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

// disconnect ends one connection of each of the people.
func (h *local) disconnect(by netip.Addr, people []*person) {
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

func (h *local) endGrace(p *person) {
	h.grace.Remove(p.inGrace)
	h.ofGrace.Add(p.by, -1)
	p.inGrace = nil
}

// expire removes the people whose grace is over.
func (h *local) expire(now time.Time) {
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

// all returns everybody who is here.
func (h *local) all() []roster.Person {
	h.mu.Lock()
	defer h.mu.Unlock()
	everybody := make([]roster.Person, 0, len(h.people))
	for who := range h.people {
		everybody = append(everybody, who)
	}
	return everybody
}

// len returns how many people are here.
func (h *local) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.people)
}

// take returns the changes since the last call. Call done when the roster has them. If
// changes were dropped, lost is true: then give the roster everybody.
func (h *local) take() (all []change, lost bool, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changes.take()
}

// end makes later changes be dropped.
func (h *local) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes.ended = true
}

// taken returns a channel that is closed when the roster has all changes so far; nil if it
// has them.
func (h *local) taken() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changes.taken()
}
