package poll

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"pubsub/server/address"
	"pubsub/server/conns"
	"pubsub/server/history"
	"pubsub/server/shares"
)

// Bounds of what bookmarks remembers.
const (
	bookmarksPerClient = 16 // channels
	bookmarksBytes     = 16 << 20
	bookmarksFor       = 10 * time.Minute // since the last message
	bookmarksEntry     = 512              // bytes of a client behind a proxy, without its bookmarks
)

// bookmarks remembers which message each client of a plain /sub was given last,
// so that nothing is lost between two of its polls. The client is the
// connection: the memory goes with it. A trusted proxy's connection has many
// clients, so what it says of them takes the connection's place. Two of whom it
// says the same share one place.
type bookmarks struct {
	source address.Source

	mu      sync.Mutex // guards the next two
	byProxy map[identity]*shares.Holding[netip.Addr, *proxied]
	held    shares.Holdings[netip.Addr, *proxied] // bytes, by address, the longest unused first
}

// proxied is a client behind a trusted proxy.
type proxied struct {
	who  identity
	last lasts
	at   time.Time
}

// lasts are the messages that a client was given last, of the channels that it
// used last, the newest at the end. Its zero value is none.
type lasts struct {
	mu  sync.Mutex
	all []last
}

type last struct {
	channel string
	cursor  history.Cursor
}

func newBookmarks(source address.Source) *bookmarks {
	return &bookmarks{source: source, byProxy: make(map[identity]*shares.Holding[netip.Addr, *proxied])}
}

// bookmark is a client's place in one channel.
type bookmark struct {
	bookmarks *bookmarks
	client    *proxied // nil for a connection's own client
	address   netip.Addr
	last      *lasts
	channel   string
}

func (p *bookmarks) of(r *http.Request, channel string) bookmark {
	if p.source.TrustedHops == 0 || !address.IsForwarded(r.Header) {
		return bookmark{last: conns.Kept[lasts](r), channel: channel}
	}
	who := identityOf(r.Header)
	p.mu.Lock()
	defer p.mu.Unlock()
	client := &proxied{who: who}
	if known := p.byProxy[who]; known != nil {
		client = known.Value
	}
	return bookmark{p, client, p.source.Of(r), &client.last, channel}
}

// identity stands for all that a proxy tells of a client, however long.
type identity [sha256.Size]byte

func identityOf(h http.Header) identity {
	told := sha256.New()
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port", "X-Client-Id", "User-Agent"} {
		for _, value := range h[name] {
			fmt.Fprintf(told, "%s: %s\n", name, value)
		}
	}
	return identity(told.Sum(nil))
}

// since is where the client's next poll begins: now, if it had no message yet.
func (p bookmark) since() history.Since {
	p.last.mu.Lock()
	defer p.last.mu.Unlock()
	for _, last := range p.last.all {
		if last.channel == p.channel {
			return history.After(last.cursor)
		}
	}
	return history.Now()
}

// set remembers that the client has everything up to cursor. A place goes forward
// only: of two polls at once the slower one may come last.
func (p bookmark) set(cursor history.Cursor) {
	if p.client == nil {
		p.last.set(p.channel, cursor)
	} else { // only now, so that those who wait for a first message push nobody out
		p.bookmarks.keep(p, cursor)
	}
}

// set returns how many bytes the bookmarks take.
func (l *lasts) set(channel string, cursor history.Cursor) (bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.all, func(last last) bool { return last.channel == channel })
	if at >= 0 {
		if known := l.all[at].cursor; known.Epoch == cursor.Epoch && known.ID > cursor.ID {
			cursor = known
		}
		l.all = slices.Delete(l.all, at, at+1)
	} else if len(l.all) == bookmarksPerClient {
		l.all = slices.Delete(l.all, 0, 1)
	}
	l.all = append(l.all, last{channel, cursor})
	for _, last := range l.all {
		bytes += 64 + len(last.channel) + len(last.cursor.Epoch)
	}
	return bytes
}

// keep remembers a client's place from now on, with those of its polls at the same
// time. Where there is no room, who has most makes some.
func (p *bookmarks) keep(at bookmark, cursor history.Cursor) {
	client, address := at.client, at.address
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.byProxy[client.who]; known != nil {
		client = known.Value
		p.held.Remove(known)
	}
	client.at = time.Now()
	bytes := client.last.set(at.channel, cursor)
	p.byProxy[client.who] = p.held.Add(address, client, bookmarksEntry+bytes)
	for p.held.Weights.Total() > bookmarksBytes {
		largest, _ := p.held.Weights.Largest()
		p.forgetOldest(largest, client.at)
	}
	p.forgetOldest(address, client.at.Add(-bookmarksFor))
}

// forgetOldest forgets an address's client that was not used for longest, if not
// since a time. mu is held.
func (p *bookmarks) forgetOldest(address netip.Addr, since time.Time) (forgotten bool) {
	for held := range p.held.Of(address) {
		if held.Value.at.After(since) {
			return false
		}
		p.held.Remove(held)
		delete(p.byProxy, held.Value.who)
		return true
	}
	return false
}

// forget forgets the clients that have not been given a message for a while.
func (p *bookmarks) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Now().Add(-bookmarksFor)
	for _, held := range p.byProxy {
		for address := held.Holder(); p.forgetOldest(address, since); {
		}
	}
}
