package server

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"pubsub/server/history"
)

// Bounds of what places remembers.
const (
	placesForwarded = 100_000 // clients behind proxies
	placesPerClient = 16      // channels
)

// places remembers which message each client of a plain /sub was given last,
// so that nothing is lost between two of its polls. The client is the
// connection: the memory goes with it. A proxy's connection has many clients,
// so what it says of them takes the connection's place.
type places struct {
	forwarded *lru.Cache[identity, *client]
}

// client is what is remembered of one client.
type client struct {
	mu   sync.Mutex
	last []lastMessage // of the channels used last, the newest at the end
}

type lastMessage struct {
	channel string
	cursor  history.Cursor
}

func newPlaces() *places {
	forwarded, err := lru.New[identity, *client](placesForwarded)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &places{forwarded: forwarded}
}

// place is a client's place in one channel.
type place struct {
	places  *places
	who     *identity // nil for a connection's own client
	client  *client
	channel string
}

func (p *places) of(r *http.Request, channel string) place {
	if who := forwardedClient(r.Header); who != nil {
		known, found := p.forwarded.Get(*who)
		if !found {
			known = new(client)
		}
		return place{p, who, known, channel}
	}
	if c := connOf(r); c != nil {
		return place{p, nil, &c.client, channel}
	}
	return place{p, nil, new(client), channel} // nothing is remembered
}

// identity stands for all that a proxy tells of a client, however long.
type identity [sha256.Size]byte

// forwardedClient is the client that a proxy tells of, nil if there is no proxy.
func forwardedClient(h http.Header) *identity {
	if len(h["Forwarded"]) == 0 && len(h["X-Forwarded-For"]) == 0 {
		return nil
	}
	told := sha256.New()
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Port", "X-Client-Id", "User-Agent"} {
		for _, value := range h[name] {
			fmt.Fprintf(told, "%s: %s\n", name, value)
		}
	}
	return (*identity)(told.Sum(nil))
}

// since is where the client's next poll begins: now, if it had no message yet.
func (p place) since() history.Since {
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	for _, last := range p.client.last {
		if last.channel == p.channel {
			return history.After(last.cursor)
		}
	}
	return history.Now()
}

// set remembers that the client has everything up to cursor.
func (p place) set(cursor history.Cursor) {
	if p.who != nil { // only now, so that those who wait for a first message push nobody out
		if known, found, _ := p.places.forwarded.PeekOrAdd(*p.who, p.client); found {
			p.client = known
		}
	}
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	last := slices.DeleteFunc(p.client.last, func(l lastMessage) bool { return l.channel == p.channel })
	if len(last) == placesPerClient {
		last = slices.Delete(last, 0, 1)
	}
	p.client.last = append(last, lastMessage{p.channel, cursor})
}
