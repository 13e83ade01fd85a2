// Package presence knows who is here: everybody with a poll or stream that asked to be
// present, or had one some seconds ago. It tells who comes and goes on the companions of
// channels.
//
// A request enters in local.go, which counts connections. Its changes go to a roster
// (sync.go), which knows of other instances, too. The roster's changes are told on companions
// (notify.go). No request waits for any of that.
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

// Lease is how long the people of a killed process stay on a shared roster. A process puts
// its people again every third of it.
const Lease = 45 * time.Second

// Grace is how long a person without a connection stays here: until the next poll comes, or a
// page is loaded again.
const Grace = 15 * time.Second

// OfRoom is how many names of one address a channel may have, if names need no token. It is
// less than [roster.MaxNames], so that one address cannot hide everybody else.
const OfRoom = 25

// maxPeople is how many people a process keeps.
const maxPeople = 100_000

// Options of a [Presence]. The zero value is good for a server.
type Options struct {
	People    int           // in all channels together; 100,000 if 0
	OfAddress int           // of one address that have just left; 0 is no limit
	OfRoom    int           // of one address in a channel; 0 is no limit
	Grace     time.Duration // [Grace] if 0
}

// Presence is safe for concurrent use. Make it with [New], and call Run. Until then it only
// collects changes.
type Presence struct {
	local  *local
	syncer *syncer
	roster roster.Roster
	hub    *hub.Hub
	typing *typing

	joins, leaves atomic.Int64
}

// New returns a Presence with a roster, which tells on the companions of a hub.
func New(r roster.Roster, h *hub.Hub, o Options) *Presence {
	o.People, o.Grace = cmp.Or(o.People, maxPeople), cmp.Or(o.Grace, Grace)
	p := &Presence{roster: r, hub: h, local: newLocal(o), typing: newTyping()}
	shared, isShared := r.(roster.Shared)
	if isShared { // the roster may be away, and gets everybody when it is back
		p.local.changes.max = o.People
	}
	p.syncer = &syncer{local: p.local, roster: r, shared: shared, notifier: newNotifier(r, p.publish), count: p.count}
	return p
}

// Enter makes a name present in channels until leave is called, and for [Grace] after that.
// Companions are left out. by is the client's address. If the error is not nil, it is a
// [web.Problem], and the name is present in none. Call leave once. Neither of them waits.
func (p *Presence) Enter(by netip.Addr, name string, channels []string) (leave func(), err error) {
	return p.local.enter(by, name, channels)
}

// Run keeps the roster and tells what changes, until ctx ends. That makes nobody leave,
// because all may come back to another process. Call Run once.
func (p *Presence) Run(ctx context.Context) { p.syncer.run(ctx) }

// settleFor bounds how long Who waits for the roster.
const settleFor = time.Second

// Who returns how many people are in a channel, and their names, sorted. There are no names
// if they are more than [roster.MaxNames]. Everybody who entered here before is counted, if
// the roster answers in time. The error is [history.ErrAway].
func (p *Presence) Who(ctx context.Context, channel string) (count int, names []string, err error) {
	if taken := p.local.taken(); taken != nil {
		select {
		case <-taken:
		case <-time.After(settleFor):
		case <-ctx.Done():
		}
	}
	return p.roster.Who(ctx, channel)
}

// Typing tells that a person types, unless that was told a moment ago, or too much else was.
// The errors are those of [hub.Hub.Publish].
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

// Said is the object of a message on a companion.
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

// Counts returns how many people are here by this process, and how many joins and leaves it
// has found so far.
func (p *Presence) Counts() (people int, joins, leaves int64) {
	return p.local.len(), p.joins.Load(), p.leaves.Load()
}
