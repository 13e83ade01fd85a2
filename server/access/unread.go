package access

import (
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/fairshare"
	"pubsub/server/web"
)

// SmallAnswer is the size in bytes up to which an answer is always admitted. The number of
// connections bounds all small answers together.
const SmallAnswer = 16 << 10

// Bounds, in bytes, of the larger answers that clients have not read yet.
const (
	unreadBytes      = 32 << 20
	unreadPerAddress = unreadBytes / 4
)

// ErrUnread refuses an answer that cannot be made small when there is no room for it.
var ErrUnread = web.TooMany("unread-answers", 5, "Your address has as many bytes of unread answers as it may have. Read those first.")

// unread counts the bytes of larger answers while they are written. The zero value is empty.
type unread struct {
	mu      sync.Mutex // guards the fields below; no other lock is taken under it
	bytes   fairshare.Shares[netip.Addr]
	total   int                          // a page counts once
	readers map[*byte]map[netip.Addr]int // by the first byte of a page: how many clients of each address it is written to
}

// HoldAnswer counts the bytes of an answer until giveBack is called. If ok is false there is
// no room: the answer must not exceed [SmallAnswer]. For an address that has read all its
// answers there is room for one of any size. giveBack is never nil: call it once.
func (c *Control) HoldAnswer(r *http.Request, bytes int) (giveBack func(), ok bool) {
	return c.HoldFor(c.Source.Of(r), bytes)
}

// HoldFor is HoldAnswer for a client of an address.
func (c *Control) HoldFor(address netip.Addr, bytes int) (giveBack func(), ok bool) {
	if bytes <= SmallAnswer {
		return func() {}, true
	}
	return c.unread.hold(address, bytes)
}

// Budget counts bytes of an address's answers before they are read from the log, because they
// are in memory long before they are written. It is a [hub.Budget], and for one goroutine.
type Budget struct {
	unread  *unread
	address netip.Addr
	small   int // up to so many bytes count nothing
	taken   int
}

// BudgetFor returns an empty Budget for answers to an address. Up to small bytes count nothing.
func (c *Control) BudgetFor(address netip.Addr, small int) *Budget {
	return &Budget{unread: &c.unread, address: address, small: small}
}

// Take counts bytes, instead of those that the budget has. It returns them, or [SmallAnswer] if
// there is no room.
func (r *Budget) Take(bytes int) (granted int) {
	if r.Keep(bytes) {
		return bytes
	}
	r.Keep(0)
	return SmallAnswer
}

// Keep counts bytes, instead of those that the budget has. If ok is false there is no room for
// them, and nothing changes.
func (r *Budget) Keep(bytes int) (ok bool) {
	if bytes <= r.small {
		bytes = 0
	}
	if bytes == r.taken {
		return true
	}
	r.unread.mu.Lock()
	defer r.unread.mu.Unlock()
	r.unread.remove(r.address, r.taken, r.taken)
	if bytes > 0 && !r.unread.add(r.address, bytes, bytes) {
		r.unread.put(r.address, r.taken)
		return false
	}
	r.taken = bytes
	return true
}

// Leave stops counting.
func (r *Budget) Leave() { r.Keep(0) }

// HoldPage is HoldFor for a page that many clients get. It is in memory once, so it counts
// once for an address and once in all.
func (c *Control) HoldPage(address netip.Addr, page []byte) (giveBack func(), ok bool) {
	if len(page) <= SmallAnswer {
		return func() {}, true
	}
	return c.unread.holdPage(address, page)
}

func (u *unread) hold(address netip.Addr, bytes int) (giveBack func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.add(address, bytes, bytes) {
		return func() {}, false
	}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.remove(address, bytes, bytes)
	}, true
}

func (u *unread) holdPage(address netip.Addr, page []byte) (giveBack func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	readers, own, all := u.readers[&page[0]], len(page), len(page)
	if readers != nil {
		all = 0
	}
	if readers[address] > 0 {
		own = 0
	}
	if !u.add(address, own, all) {
		return func() {}, false
	}
	if u.readers == nil {
		u.readers = make(map[*byte]map[netip.Addr]int)
	}
	if readers == nil {
		readers = make(map[netip.Addr]int)
		u.readers[&page[0]] = readers
	}
	readers[address]++
	return func() { u.giveBackPage(address, page) }, true
}

func (u *unread) giveBackPage(address netip.Addr, page []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	readers, own, all := u.readers[&page[0]], 0, 0
	if readers[address]--; readers[address] == 0 {
		delete(readers, address)
		own = len(page)
	}
	if len(readers) == 0 {
		delete(u.readers, &page[0])
		all = len(page)
	}
	u.remove(address, own, all)
}

// add counts bytes for an address and in all. It returns false, and counts nothing, if there
// is no room. mu is held.
func (u *unread) add(address netip.Addr, own, all int) bool {
	held := u.bytes.Of(address)
	// The first answer of any size must pass, or a large message would never reach a client.
	if own > 0 && held > 0 && held+own > unreadPerAddress || u.total+all > unreadBytes {
		return false
	}
	u.bytes.Add(address, own)
	u.total += all
	return true
}

// put counts again what was just removed. mu is held.
func (u *unread) put(address netip.Addr, bytes int) {
	u.bytes.Add(address, bytes)
	u.total += bytes
}

func (u *unread) remove(address netip.Addr, own, all int) {
	u.bytes.Add(address, -own)
	u.total -= all
}
