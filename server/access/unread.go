package access

import (
	"net/http"
	"net/netip"
	"sync"

	"pubsub/server/shares"
	"pubsub/server/web"
)

// Bounds of what answers hold in memory that their clients have not taken in yet.
const (
	SmallAnswer      = 16 << 10 // bytes; is always given, and bounded by the number of connections
	unreadBytes      = 32 << 20 // of larger ones, together
	unreadPerAddress = unreadBytes / 4
)

// ErrUnread refuses an answer that cannot be a small one.
var ErrUnread = web.TooMany("unread-answers", 5, "Answers for your address wait to be taken in, as many bytes as may. Read them first.")

// unread counts the bytes of large answers that are being written. Its zero value
// is none.
type unread struct {
	mu    sync.Mutex
	bytes shares.Shares[netip.Addr]
}

// HoldAnswer counts an answer of so many bytes to r until it is given back. It tells
// whether there is room; if not, the answer must be a small one.
func (c *Control) HoldAnswer(r *http.Request, bytes int) (giveBack func(), ok bool) {
	if bytes <= SmallAnswer {
		return func() {}, true
	}
	return c.unread.hold(c.Source.Of(r), bytes)
}

func (u *unread) hold(address netip.Addr, bytes int) (giveBack func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes.Of(address)+bytes > unreadPerAddress || u.bytes.Total()+bytes > unreadBytes {
		return func() {}, false
	}
	u.bytes.Add(address, bytes)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.bytes.Add(address, -bytes)
	}, true
}
