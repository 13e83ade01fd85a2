// Package presence knows who is here: who has a poll or a stream that asked to be present,
// or had one some seconds ago. It tells who comes and goes on the companions of channels.
//
// A request enters in here.go, which only counts connections. What changes there goes to a
// roster (keep.go), which knows of other instances, too; what that says has changed is told
// (tell.go). No request waits for any of it.
package presence

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"sync/atomic"
	"time"

	"pubsub/server/history"
	"pubsub/server/hub"
	"pubsub/server/roster"
)

// Lease is how long people stay on a roster that several processes share when theirs was
// killed. A process puts them again every third of it.
const Lease = 45 * time.Second

// Grace is how long somebody may have no connection and is here all the same: for a next
// poll, or until a page is loaded again.
const Grace = 15 * time.Second

// OfRoom is how many names of one address a channel has where nobody shows a token for one.
// It is less than [roster.MaxNames], so that nobody alone hides who else is there.
const OfRoom = 25

// maxPeople is how many people one process keeps.
const maxPeople = 100_000

// Options bound what is kept. The zero value is good for a server.
type Options struct {
	People    int           // in all, counted once for each channel; 100,000 if 0
	OfAddress int           // those of one address that have just left; no limit if 0
	OfRoom    int           // those of one address in a channel; no limit if 0
	Grace     time.Duration // if not [Grace]
}

// Presence is safe for concurrent use. Make it with [New]. Until Run is called it only
// keeps who comes.
type Presence struct {
	here   *here
	keeper *keeper
	roster roster.Roster
	hub    *hub.Hub
	typing *typing

	joins, leaves atomic.Int64
}

// New returns a Presence that keeps a roster and tells on the companions of a hub.
func New(r roster.Roster, h *hub.Hub, o Options) *Presence {
	o.People, o.Grace = cmp.Or(o.People, maxPeople), cmp.Or(o.Grace, Grace)
	p := &Presence{roster: r, hub: h, here: newHere(o), typing: newTyping()}
	shared, isShared := r.(roster.Shared)
	if isShared { // it may be away, and is given all when it is back
		p.here.changes.max = o.People
	}
	p.keeper = &keeper{here: p.here, roster: r, shared: shared, teller: newTeller(r, p.publish), count: p.count}
	return p
}

// Enter has a name be present in channels until leave is called, and for [Grace] beyond
// it. Companions are left out. by is the address of who asks. The error is a [web.Problem],
// and then the name is present in none of them. Call leave once.
func (p *Presence) Enter(by netip.Addr, name string, channels []string) (leave func(), err error) {
	return p.here.enter(by, name, channels)
}

// Run keeps the roster and tells what changes, until ctx ends. Nobody is told to leave
// because it ends: all may come back elsewhere. Call it once.
func (p *Presence) Run(ctx context.Context) { p.keeper.run(ctx) }

// settleFor is how long a question waits for the roster to have what was before.
const settleFor = time.Second

// Who returns how many people are in a channel, and their names, sorted, unless there are
// more than [roster.MaxNames]. It knows of everybody who entered here before. The error is
// [history.ErrAway].
func (p *Presence) Who(ctx context.Context, channel string) (count int, names []string, err error) {
	if taken := p.here.taken(); taken != nil {
		select {
		case <-taken:
		case <-time.After(settleFor):
		case <-ctx.Done():
		}
	}
	return p.roster.Who(ctx, channel)
}

// Typing tells that somebody at an address types, unless that or too much else was told a
// moment ago. Its errors are those of [hub.Hub.Publish].
func (p *Presence) Typing(ctx context.Context, by netip.Addr, channel, name string) error {
	if !p.typing.mayTell(by, channel) {
		return nil
	}
	tell, err := p.roster.Typed(ctx, roster.Person{Channel: channel, Name: name})
	if err != nil || !tell {
		return err
	}
	return p.publish(ctx, channel, Said{Presence: "typing", Name: name})
}

// Said is what a companion says.
type Said struct {
	Presence string `json:"presence"` // join, leave, typing or count
	Name     string `json:"name,omitempty"`
	Count    *int   `json:"count,omitempty"` // of people in the channel; nil for typing
}

func saidOf(c roster.Change) Said {
	said := Said{Presence: "leave", Name: c.Name, Count: &c.Count}
	if c.Joined {
		said.Presence = "join"
	}
	return said
}

func (p *Presence) publish(ctx context.Context, channel string, said Said) error {
	object, err := json.Marshal(said)
	if err != nil {
		return err
	}
	_, err = p.hub.Publish(ctx, history.Post{Channel: history.Companion(channel), Object: object})
	return err
}

func (p *Presence) count(changes []roster.Change) {
	for i := range changes {
		if changes[i].Joined {
			p.joins.Add(1)
		} else {
			p.leaves.Add(1)
		}
	}
}

// Counts returns how many people are here by this process, and how many joins and leaves
// it has found so far.
func (p *Presence) Counts() (people int, joins, leaves int64) {
	return p.here.len(), p.joins.Load(), p.leaves.Load()
}
