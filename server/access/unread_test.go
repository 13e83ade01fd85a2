package access

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is held and given back, in any order: no bound is passed but by one answer alone,
// pages count once, and in the end nothing is counted.
func TestUnreadCountsWhatIsHeld(t *testing.T) {
	pages := [][]byte{make([]byte, 1<<20), make([]byte, 6<<20), make([]byte, 9<<20)}
	type held struct {
		address  netip.Addr
		page     int // -1 for an answer of its own
		bytes    int
		giveBack func()
	}
	rapid.Check(t, func(t *rapid.T) {
		var u unread
		var all []held
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			h := held{address: netip.AddrFrom4([4]byte{1, 1, 1, byte(rapid.IntRange(0, 5).Draw(t, "address"))})}
			var ok bool
			switch h.page = rapid.IntRange(-2, 2).Draw(t, "page"); {
			case h.page == -2 && len(all) > 0:
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				all[i].giveBack()
				all = append(all[:i], all[i+1:]...)
			case h.page >= 0:
				h.bytes = len(pages[h.page])
				h.giveBack, ok = u.holdPage(h.address, pages[h.page])
			default:
				h.page, h.bytes = -1, rapid.IntRange(1<<20, 10<<20).Draw(t, "bytes")
				h.giveBack, ok = u.hold(h.address, h.bytes)
			}
			if ok {
				all = append(all, h)
			}

			type reader struct {
				address netip.Addr
				page    int
			}
			total, of, things := 0, map[netip.Addr]int{}, map[netip.Addr]int{}
			seen, seenBy := map[int]bool{}, map[reader]bool{}
			for _, h := range all {
				who := reader{h.address, h.page}
				if h.page < 0 || !seenBy[who] {
					of[h.address] += h.bytes
					things[h.address]++
				}
				if h.page < 0 || !seen[h.page] {
					total += h.bytes
				}
				seen[h.page], seenBy[who] = true, true
			}
			require.Equal(t, total, u.total)
			require.LessOrEqual(t, total, unreadBytes)
			for address, bytes := range of {
				require.Equal(t, bytes, u.bytes.Of(address))
				require.True(t, bytes <= unreadPerAddress || things[address] == 1, "%d bytes of %d", bytes, things[address])
			}
		}
		for _, h := range all {
			h.giveBack()
		}
		require.Zero(t, u.total+u.bytes.Total()+len(u.readers))
	})
}

// Room is taken before an answer is read: as many as there is room for have it, the rest is
// small, and an address that reads everything has room for one of any size.
func TestRoom(t *testing.T) {
	c := &Control{}
	const page = 256 << 10
	var rooms []*Budget
	ann, bob := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range unreadPerAddress / page {
		room := c.BudgetFor(ann, SmallAnswer)
		require.Equal(t, page, room.Take(page))
		rooms = append(rooms, room)
	}
	late := c.BudgetFor(ann, SmallAnswer)
	require.Equal(t, SmallAnswer, late.Take(page))
	require.True(t, late.Keep(SmallAnswer))
	other := c.BudgetFor(bob, SmallAnswer)
	require.Equal(t, page, other.Take(page))
	require.True(t, other.Keep(unreadPerAddress*2), "alone")
	require.True(t, rooms[0].Keep(100), "what is small counts nothing")
	require.Equal(t, page, late.Take(page))
	require.False(t, rooms[0].Keep(page))
	require.False(t, late.Keep(2*page))
	require.Equal(t, unreadPerAddress, c.unread.bytes.Of(ann), "what it had stays")
	for _, room := range append(rooms, late, other) {
		room.Leave()
		room.Leave() // which is harmless
	}
	require.Zero(t, c.unread.total+c.unread.bytes.Total())
}
