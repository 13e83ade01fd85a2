package presence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/internal/pubsubtest"
	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/redis"
	"pubsub/server/hub"
	"pubsub/server/presence"
	"pubsub/server/roster"
)

// Times in these tests, which are shorter than a server's.
const (
	shortLease = 3 * time.Second
	shortGrace = time.Second
	patience   = 30 * time.Second
)

// mortal is a roster whose process can be killed: then nothing of it is heard any more.
type mortal struct {
	roster.Shared
	dead atomic.Bool
}

var errDead = errors.New("the process is dead")

func (m *mortal) Put(ctx context.Context, people []roster.Person) ([]roster.Change, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.Shared.Put(ctx, people)
}

func (m *mortal) Take(ctx context.Context, people []roster.Person) ([]roster.Change, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	return m.Shared.Take(ctx, people)
}

func (m *mortal) Sweep(ctx context.Context) ([]roster.Change, bool, error) {
	if m.dead.Load() {
		return nil, false, errDead
	}
	return m.Shared.Sweep(ctx)
}

func (m *mortal) Release(ctx context.Context, people []roster.Person, within time.Duration) error {
	if m.dead.Load() {
		return errDead
	}
	return m.Shared.Release(ctx, people, within)
}

// instance is a place that shares its roster with others.
type instance struct {
	place
	mortal *mortal
}

func startInstance(t *testing.T, r *pubsubtest.Redis, lease time.Duration) *instance {
	b, err := bus.New(bus.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	log, err := redis.Open(r.URL(), history.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	i := &instance{place: place{hub: hub.New(b, log.Companions(history.Options{}))}, mortal: &mortal{Shared: log.Roster(lease)}}
	i.Presence = presence.New(i.mortal, i.hub, presence.Options{Grace: shortGrace})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); i.Run(ctx) }()
	i.end = func() { cancel(); <-ended }
	t.Cleanup(i.end)
	return i
}

// eventually waits until a place says that these people are in a channel, and no others.
func (p *place) eventually(t *testing.T, channel string, names ...string) {
	t.Helper()
	slices.Sort(names)
	want := fmt.Sprint(len(names), " ", strings.Join(names, " "))
	var got string
	require.Eventually(t, func() bool {
		count, names, err := p.Who(t.Context(), channel)
		got = fmt.Sprint(count, " ", strings.Join(names, " "), err)
		return got == want+"<nil>"
	}, patience, 20*time.Millisecond, "%q in %s: %s", want, channel, &got)
}

// crowd is 200 people in 40 rooms: few enough in each for all to be told by name.
const (
	rooms   = 40
	perRoom = 5
)

// 200 people come to three instances, move between them, go, and one instance is killed.
// The roster is right, and each join and leave is told once.
func TestInstancesShareARoster(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t)
	a, b, c := startInstance(t, r, shortLease), startInstance(t, r, shortLease), startInstance(t, r, shortLease)
	all := []*instance{a, b, c}
	leave := make(map[string][]func())
	for n := range rooms {
		room := fmt.Sprint("room", n)
		for i, name := range []string{"stays", "moves", "goes", "crashes", "both"} {
			at := all[[]int{n % 2, 2, (n + i) % 3, 2, 2}[i]]
			leave[name] = append(leave[name], at.enter(t, name, room))
			if name == "both" {
				a.enter(t, name, room)
			}
		}
	}
	for n := range rooms {
		for _, i := range all {
			i.eventually(t, fmt.Sprint("room", n), "stays", "moves", "goes", "crashes", "both")
		}
	}
	for n := range rooms {
		leave["moves"][n]()
		all[n%2].enter(t, "moves", fmt.Sprint("room", n))
		leave["goes"][n]()
	}
	for n := range rooms {
		b.eventually(t, fmt.Sprint("room", n), "stays", "moves", "crashes", "both")
	}
	c.mortal.dead.Store(true)
	killed := time.Now()
	for n := range rooms {
		b.eventually(t, fmt.Sprint("room", n), "stays", "moves", "both")
	}
	require.Less(t, time.Since(killed), shortLease+5*time.Second)
	t.Logf("the killed instance's people left after %v", time.Since(killed).Round(time.Millisecond))
	for n := range rooms {
		for _, i := range all[:2] {
			i.eventually(t, fmt.Sprint("room", n), "stays", "moves", "both")
		}
		var told []string
		require.Eventually(t, func() bool {
			told = nil
			for _, one := range a.said(t, fmt.Sprint("room", n)) {
				told = append(told, one.Presence+" "+one.Name)
			}
			return len(told) >= 7 || slices.Contains(told, "count ")
		}, patience, 20*time.Millisecond, "%q", &told)
		want := []string{"join stays", "join moves", "join goes", "join crashes", "join both", "leave goes", "leave crashes"}
		if slices.Contains(told, "count ") { // on a busy machine, in place of names that are late
			told = slices.DeleteFunc(told, func(one string) bool { return one == "count " })
			require.Subset(t, want, told)
			slices.Sort(told)
			require.Len(t, slices.Compact(slices.Clone(told)), len(told), "each is told once")
			continue
		}
		require.ElementsMatch(t, want, told)
	}
	require.Equal(t, fmt.Sprint(3*rooms), r.Do("zcard", "pubsub:leases"), "nothing stays of the killed one, which put some twice")
}

// Redis is killed and comes back empty. Meanwhile people come and go, and nobody waits.
func TestRosterAfterARestart(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t)
	a, b := startInstance(t, r, presence.Lease), startInstance(t, r, presence.Lease)
	a.enter(t, "ann", room)
	bob := b.enter(t, "bob", room)
	a.eventually(t, room, "ann", "bob")
	r.Kill()
	began := time.Now()
	bob()
	a.enter(t, "eve", room)
	require.Less(t, time.Since(began), time.Second)
	_, _, err := a.Who(t.Context(), room)
	require.ErrorIs(t, err, history.ErrAway)
	r.Restart()
	began = time.Now()
	a.eventually(t, room, "ann", "eve")
	b.eventually(t, room, "ann", "eve")
	require.Less(t, time.Since(began), presence.Lease/4, "nobody waits for the next time that all are put")
	require.Eventually(t, func() bool { return len(a.said(t, room)) > 0 }, patience, 20*time.Millisecond)
	for _, one := range a.said(t, room) {
		require.False(t, one.Presence == "leave" && one.Name != "bob", one)
	}
}

// An outage longer than a lease makes nobody leave who is here.
func TestRosterAfterALongOutage(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	var all []*instance
	for i := range 3 {
		all = append(all, startInstance(t, r, shortLease))
		all[i].enter(t, fmt.Sprint(i), room)
	}
	all[0].eventually(t, room, "0", "1", "2")
	require.Eventually(t, func() bool { return len(all[0].said(t, room)) == 3 }, patience, 20*time.Millisecond)
	r.Kill()
	<-time.After(shortLease + time.Second) // on the clock of Redis, which is a real one
	r.Restart()
	all[0].enter(t, "new", room)
	for _, i := range all {
		i.eventually(t, room, "0", "1", "2", "new")
	}
	var told []string
	require.Eventually(t, func() bool {
		told = all[0].told(t)
		return len(told) == 4
	}, patience, 20*time.Millisecond, "told %v", &told)
	for _, one := range all[0].said(t, room) {
		require.Equal(t, "join", one.Presence, one)
	}
}

// Who was with an instance that ends has some time to come to another one, and nobody is
// told.
func TestAnInstanceThatEnds(t *testing.T) {
	t.Parallel()
	r := pubsubtest.StartRedis(t)
	a, b := startInstance(t, r, shortLease), startInstance(t, r, shortLease)
	moves, slow := a.enter(t, "moves", room), a.enter(t, "slow", room)
	b.eventually(t, room, "moves", "slow")
	require.Eventually(t, func() bool { return len(b.told(t)) == 2 }, patience, 20*time.Millisecond, "who has come is told a moment later")
	a.end()
	moves()
	slow()
	b.enter(t, "moves", room)
	b.eventually(t, room, "moves")
	var told []string
	require.Eventually(t, func() bool {
		told = b.told(t)
		return len(told) == 3
	}, patience, 20*time.Millisecond, "told %v", &told)
	require.Equal(t, "leave slow 1", told[2])
}
