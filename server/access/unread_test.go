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
