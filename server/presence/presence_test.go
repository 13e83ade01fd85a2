package presence_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/server/bus"
	"pubsub/server/history"
	"pubsub/server/history/memory"
	"pubsub/server/hub"
	"pubsub/server/presence"
	"pubsub/server/roster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	home   = netip.MustParseAddr("10.0.0.1")
	office = netip.MustParseAddr("10.0.0.2")
)

const room = "room"

// place is a presence with the hub that it tells on.
type place struct {
	*presence.Presence
	hub *hub.Hub
	end func() // of Run
}

// bubble runs a test with a presence that is this process's own.
func bubble(t *testing.T, o presence.Options, test func(t *testing.T, p *place)) {
	log := memory.New(history.Options{})
	defer log.Close()
	bubbleOver(t, log, roster.NewMemory(), o, test)
}

// bubbleOver runs a test with a presence over a log and a roster.
func bubbleOver(t *testing.T, log history.Log, r roster.Roster, o presence.Options, test func(t *testing.T, p *place)) {
	synctest.Test(t, func(t *testing.T) {
		b, err := bus.New(bus.Options{})
		require.NoError(t, err)
		defer b.Close()
		p := &place{hub: hub.New(b, log)}
		p.Presence = presence.New(r, p.hub, o)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.Run(ctx) }()
		p.end = func() { cancel(); <-ended }
		defer p.end()
		test(t, p)
	})
}

func (p *place) enter(t *testing.T, name string, channels ...string) (leave func()) {
	leave, err := p.Enter(home, name, channels)
	require.NoError(t, err)
	return leave
}

// who is the count, and the names.
func (p *place) who(t *testing.T, channel string) string {
	count, names, err := p.Who(t.Context(), channel)
	require.NoError(t, err)
	return fmt.Sprint(count, " ", strings.Join(names, " "))
}

// said is what a companion has said so far.
func (p *place) said(t require.TestingT, channel string) (all []presence.Said) {
	page, err := p.hub.Read(context.Background(), []hub.Place{{Channel: history.Companion(channel), Since: history.All()}}, 10_000)
	require.NoError(t, err)
	for _, m := range page.Messages {
		var one presence.Said
		require.NoError(t, json.Unmarshal(m.JSON, &one))
		all = append(all, one)
	}
	return all
}

func (p *place) told(t *testing.T) (all []string) {
	for _, one := range p.said(t, room) {
		text := strings.TrimSpace(one.Presence + " " + one.Name)
		if one.Count != nil {
			text += fmt.Sprint(" ", *one.Count)
		}
		all = append(all, text)
	}
	return all
}

func TestTwoTabsAreOne(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		first, second := p.enter(t, "ann", room, "other", history.Companion(room)), p.enter(t, "ann", room)
		bob := p.enter(t, "bob", room)
		require.Equal(t, "2 ann bob", p.who(t, room))
		require.Equal(t, "1 ann", p.who(t, "other"))
		require.Equal(t, "0 ", p.who(t, "nowhere"))
		first()
		time.Sleep(time.Minute)
		require.Equal(t, "2 ann bob", p.who(t, room), "there is another tab")
		require.Equal(t, "0 ", p.who(t, "other"))
		second()
		time.Sleep(presence.Grace - time.Millisecond)
		require.Equal(t, "2 ann bob", p.who(t, room))
		again := p.enter(t, "ann", room)
		time.Sleep(time.Minute)
		again()
		time.Sleep(presence.Grace + 2*time.Second)
		require.Equal(t, "1 bob", p.who(t, room))
		require.Equal(t, []string{"join ann 1", "join bob 2", "leave ann 1"}, p.told(t))
		bob()
	})
}

// Who comes and goes all the time is told as long as few do, and then counted once a second.
func TestAStormIsCounted(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		const people, seconds = 40, 10
		began := time.Now()
		for time.Since(began) < seconds*time.Second {
			for i := range people {
				p.enter(t, fmt.Sprint(time.Since(began), " ", i), room)()
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		var names, counts int
		for _, one := range p.said(t, room) {
			if one.Presence == "count" {
				counts++
			} else {
				names++
			}
		}
		require.LessOrEqual(t, counts, 2*(seconds+2))
		require.LessOrEqual(t, names, roster.MaxNamed*2*(seconds+2))
		require.Equal(t, "0 ", p.who(t, room))
		told := p.said(t, room)
		require.Equal(t, 0, *told[len(told)-1].Count, "the last one is right")
	})
}

// Above fifty there are only counts.
func TestAboveFifty(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		var leave []func()
		for i := range roster.MaxNames {
			leave = append(leave, p.enter(t, fmt.Sprintf("%02d", i), room))
			time.Sleep(time.Second)
		}
		require.Len(t, strings.Fields(p.who(t, room)), 1+roster.MaxNames)
		require.Len(t, p.told(t), roster.MaxNames)
		for range 3 {
			leave = append(leave, p.enter(t, fmt.Sprint(len(leave)), room))
		}
		require.Equal(t, "53 ", p.who(t, room))
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{"count 53"}, p.told(t)[roster.MaxNames:])
		for _, one := range leave[:10] {
			one()
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		told := p.told(t)[roster.MaxNames+1:]
		first := slices.Index(told, "leave 02 50")
		require.Positive(t, first)
		for _, before := range told[:first] {
			require.Contains(t, before, "count 5")
		}
		require.Equal(t, "leave 03 49", told[first+1])
		require.Equal(t, "leave 09 43", told[len(told)-1])
		for _, one := range leave[10:] {
			one()
		}
	})
}

func TestBounds(t *testing.T) {
	bubble(t, presence.Options{People: 5, OfAddress: 3}, func(t *testing.T, p *place) {
		for i := range 3 {
			p.enter(t, fmt.Sprint(i), room)()
		}
		_, err := p.Enter(home, "3", []string{room})
		require.ErrorContains(t, err, "just left")
		back := p.enter(t, "2", room) // who is here already is not one more
		three := p.enter(t, "3", room)
		_, err = p.Enter(office, "4", []string{room, "other"})
		require.ErrorContains(t, err, "As many people")
		require.Equal(t, "4 0 1 2 3", p.who(t, room), "in none of the channels")
		leave, err := p.Enter(office, "4", []string{room})
		require.NoError(t, err)
		leave()
		back()
		three()
		time.Sleep(presence.Grace + 2*time.Second)
		require.Equal(t, "0 ", p.who(t, room))
		for i := range 3 {
			p.enter(t, fmt.Sprint(i), room)()
		}
	})
}

// A process that ends tells nobody to leave: they are somewhere else.
func TestEndTellsNoLeaves(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		leave := p.enter(t, "ann", room)
		p.end()
		leave()
		time.Sleep(time.Minute)
		require.Equal(t, []string{"join ann 1"}, p.told(t))
		p.enter(t, "bob", room)()
		_ = p.who(t, room) // does not wait
	})
}

func TestTypingIsTold(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		for range 70 {
			require.NoError(t, p.Typing(t.Context(), home, room, "ann"))
			time.Sleep(100 * time.Millisecond)
		}
		require.Equal(t, []string{"typing ann", "typing ann", "typing ann"}, p.told(t))
		for i := range 100 {
			require.NoError(t, p.Typing(t.Context(), netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), room, fmt.Sprint(i)))
		}
		require.Len(t, p.told(t), 3+roster.MaxNamed)
	})
}

// Who has many names told that type does not hide that others do.
func TestTypingIsToldInAFlood(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		for i := range 1000 {
			require.NoError(t, p.Typing(t.Context(), home, room, fmt.Sprint(i)))
			if i%100 == 99 {
				require.NoError(t, p.Typing(t.Context(), office, room, fmt.Sprint("ann", i)))
				time.Sleep(time.Second)
			}
		}
		all := strings.Join(p.told(t), "\n")
		require.Equal(t, 10, strings.Count(all, "typing ann"), all)
	})
}

// An address with many names in a channel does not hide who else is there.
func TestManyNamesOfAnAddress(t *testing.T) {
	bubble(t, presence.Options{OfRoom: presence.OfRoom}, func(t *testing.T, p *place) {
		for range 2 { // the second time others have left
			bob, err := p.Enter(office, "bob", []string{room})
			require.NoError(t, err)
			leaves := []func(){bob}
			for i := range 100 {
				leave, err := p.Enter(home, fmt.Sprint("no one ", i), []string{"other", room})
				if i < presence.OfRoom {
					require.NoError(t, err)
					leaves = append(leaves, leave)
				} else {
					require.ErrorContains(t, err, "25 names")
				}
			}
			leaves = append(leaves, p.enter(t, "no one 3", room)) // another tab
			require.Contains(t, p.who(t, room), "26 bob no one 0")
			for _, leave := range leaves {
				leave()
			}
			time.Sleep(presence.Grace + 2*time.Second)
			require.Equal(t, "0 ", p.who(t, room))
		}
	})
}

// However many channels people come to, what is told in a second is bounded.
func TestManyChannels(t *testing.T) {
	bubble(t, presence.Options{}, func(t *testing.T, p *place) {
		const channels = 3000
		for i := range channels {
			p.enter(t, "ann", fmt.Sprint(i))
		}
		told := func() (n int) {
			for i := range channels {
				n += len(p.said(t, fmt.Sprint(i)))
			}
			return n
		}
		synctest.Wait()
		require.Equal(t, 500, told())
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, 1000, told())
		time.Sleep(10 * time.Second)
		require.Equal(t, channels, told(), "in the end each is told")
	})
}
