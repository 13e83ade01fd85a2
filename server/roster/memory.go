package roster

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"pubsub/server/lru"
)

// Memory is the [Roster] of a single process. Make it with [NewMemory]. It returns no errors,
// and does not wait.
type Memory struct {
	mu     sync.Mutex // guards the fields below; no other lock is taken under it
	rooms  map[string]*room
	typed  *lru.Cache[Person, time.Time]
	typing *lru.Cache[string, *recent]
}

var _ Roster = (*Memory)(nil)

// room is a channel with people in it.
type room struct {
	names   map[string]struct{}
	changes recent
}

// manyTyping is how many people who type are remembered. The one that was told longest ago is
// forgotten first, and may type again at once.
const manyTyping = 10_000

// NewMemory returns an empty roster.
func NewMemory() *Memory {
	return &Memory{
		rooms:  make(map[string]*room),
		typed:  lru.New[Person, time.Time](manyTyping, nil),
		typing: lru.New[string, *recent](manyTyping, nil),
	}
}

// Put implements [Roster].
func (m *Memory) Put(_ context.Context, people []Person) (changes []Change, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range people {
		r := m.rooms[p.Channel]
		if r == nil {
			r = &room{names: make(map[string]struct{})}
			m.rooms[p.Channel] = r
		}
		if _, here := r.names[p.Name]; here {
			continue
		}
		r.names[p.Name] = struct{}{}
		changes = append(changes, r.change(p, true))
	}
	return changes, nil
}

// Take implements [Roster].
func (m *Memory) Take(_ context.Context, people []Person) (changes []Change, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range people {
		r := m.rooms[p.Channel]
		if r == nil {
			continue
		}
		if _, here := r.names[p.Name]; !here {
			continue
		}
		delete(r.names, p.Name)
		changes = append(changes, r.change(p, false))
		if len(r.names) == 0 {
			delete(m.rooms, p.Channel)
		}
	}
	return changes, nil
}

func (r *room) change(p Person, joined bool) Change {
	n := len(r.names)
	return Change{Person: p, Joined: joined, Count: n, Named: IsNamed(n, r.changes.next())}
}

// Who implements [Roster].
func (m *Memory) Who(_ context.Context, channel string) (count int, names []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[channel]
	if r == nil {
		return 0, nil, nil
	}
	if len(r.names) <= MaxNames {
		names = slices.Sorted(maps.Keys(r.names))
	}
	return len(r.names), names, nil
}

// Count implements [Roster]. There is no other process, so tell is always true.
func (m *Memory) Count(ctx context.Context, channel string) (count int, tell bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rooms[channel]; r != nil {
		count = len(r.names)
	}
	return count, true, nil
}

// Typed implements [Roster].
func (m *Memory) Typed(_ context.Context, p Person) (tell bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, found := m.typed.Peek(p); found && time.Since(at) < TypingEvery {
		return false, nil
	}
	inRoom, found := m.typing.Get(p.Channel)
	if !found {
		inRoom = new(recent)
		m.typing.Add(p.Channel, inRoom)
	}
	if inRoom.next() > MaxNamed {
		return false, nil
	}
	m.typed.Add(p, time.Now())
	return true, nil
}

// recent counts events within a second.
type recent struct {
	since time.Time
	n     int
}

// next counts an event. It returns how many there were in the second that began with the
// first.
func (r *recent) next() int {
	if now := time.Now(); now.Sub(r.since) >= time.Second {
		r.since, r.n = now, 0
	}
	r.n++
	return r.n
}
