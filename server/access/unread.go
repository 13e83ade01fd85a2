package access

import (
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/shares"
	"pubsub/server/web"
)

// SmallAnswer is the size in bytes up to which an answer is always admitted. What all
// small answers take together is bounded by the number of connections.
const SmallAnswer = 16 << 10

// Bounds, in bytes, of the larger answers that clients have not read yet.
const (
	unreadBytes      = 32 << 20
	unreadPerAddress = unreadBytes / 4
)

// ErrUnread refuses an answer when there is no room for it and it cannot be made small.
var ErrUnread = web.TooMany("unread-answers", 5, "Answers for your address wait to be taken in, as many bytes as may. Read them first.")

// unread counts the bytes of larger answers while they are written. Its zero value is
// empty.
type unread struct {
	mu    sync.Mutex
	bytes shares.Shares[netip.Addr]
}

// HoldAnswer counts the bytes of an answer until giveBack is called. If ok is false there
// is no room: the answer must not exceed [SmallAnswer]. There is room for one answer of
// any size to an address that reads everything. giveBack is never nil: call it once.
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

func (u *unread) hold(address netip.Addr, bytes int) (giveBack func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	held := u.bytes.Of(address)
	// One of any size must pass, else a large message would never reach anybody.
	if held > 0 && held+bytes > unreadPerAddress || u.bytes.Total()+bytes > unreadBytes {
		return func() {}, false
	}
	u.bytes.Add(address, bytes)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.bytes.Add(address, -bytes)
	}, true
}
