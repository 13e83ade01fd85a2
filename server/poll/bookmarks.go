package poll

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"pubsub/server/address"
	"pubsub/server/conns"
	"pubsub/server/history"
	"pubsub/server/shares"
)

const (
	bookmarksBytes = 16 << 20         // of all clients behind proxies
	bookmarksFor   = 10 * time.Minute // since the client's last message
	bookmarksEntry = 512              // bytes of a client, without its cursors
)

// bookmarks remembers which message each client of a plain /sub was given last, because
// such a client sends no cursor and must lose nothing between two of its polls.
//
// A client is recognized by its connection, and forgotten with it. A trusted proxy's
// connection has many clients: there a client is recognized by what the proxy says of it.
// Two clients of which a proxy says the same share one bookmark.
type bookmarks struct {
	source address.Source

	mu        sync.Mutex // guards the next two
	byID      map[identity]*shares.Holding[netip.Addr, *proxied]
	byAddress shares.Holdings[netip.Addr, *proxied] // weight: bytes; the longest unused first
}

// proxied is a client behind a trusted proxy. bookmarks.mu guards usedAt.
type proxied struct {
	id     identity
	read   lastRead
	usedAt time.Time
}

func newBookmarks(source address.Source) *bookmarks {
	return &bookmarks{source: source, byID: make(map[identity]*shares.Holding[netip.Addr, *proxied])}
}

// of returns the bookmark of a request's client in a channel.
func (b *bookmarks) of(r *http.Request, channel string) bookmark {
	if r.ProtoMajor >= 2 && !b.forwarded(r) && r.Header.Get("X-Client-Id") == "" {
		return bookmark{read: new(lastRead), channel: channel} // a browser's tabs share the connection
	}
	if !b.forwarded(r) && r.ProtoMajor < 2 {
		return bookmark{read: conns.Kept[lastRead](r), channel: channel}
	}
	id := identityOf(r.Header, b.source.Of(r))
	b.mu.Lock()
	defer b.mu.Unlock()
	client := &proxied{id: id}
	if known := b.byID[id]; known != nil {
		client = known.Value
	}
	return bookmark{b, client, b.source.Of(r), &client.read, channel}
}

// forwarded tells whether a trusted proxy speaks for the client.
func (b *bookmarks) forwarded(r *http.Request) bool {
	return b.source.TrustedHops > 0 && address.IsForwarded(r.Header)
}

// keep remembers a client's cursor. A client whose first polls came at the same time has
// several bookmarks by then: the first that is kept gets the cursors of all of them. When
// there is no room, the address that has most loses its longest unused client.
func (b *bookmarks) keep(mark bookmark, cursor history.Cursor) {
	client, address := mark.client, mark.address
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.byID[client.id]; known != nil {
		client = known.Value
		b.byAddress.Remove(known)
	}
	client.usedAt = time.Now()
	bytes := client.read.set(mark.channel, cursor)
	b.byID[client.id] = b.byAddress.Add(address, client, bookmarksEntry+bytes)
	for b.byAddress.Weights.Total() > bookmarksBytes {
		largest, _ := b.byAddress.Weights.Largest()
		b.forgetOldest(largest, client.usedAt)
	}
	b.forgetOldest(address, client.usedAt.Add(-bookmarksFor))
}

// forgetOldest forgets the longest unused client of an address, unless it was used after
// the given time. mu is held.
func (b *bookmarks) forgetOldest(address netip.Addr, unusedSince time.Time) (forgotten bool) {
	for held := range b.byAddress.Of(address) {
		if held.Value.usedAt.After(unusedSince) {
			return false
		}
		b.byAddress.Remove(held)
		delete(b.byID, held.Value.id)
		return true
	}
	return false
}

// forget forgets the clients that have not been given a message for ten minutes.
func (b *bookmarks) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := time.Now().Add(-bookmarksFor)
	for _, held := range b.byID {
		for address := held.Holder(); b.forgetOldest(address, since); {
		}
	}
}
