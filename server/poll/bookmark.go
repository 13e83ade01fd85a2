package poll

import (
	"net/netip"

	"pubsub/server/history"
)

// bookmark is how far one client has read one channel.
type bookmark struct {
	bookmarks *bookmarks
	client    *proxied // nil if the connection has only one client
	address   netip.Addr
	read      *lastRead
	channel   string
}

// since is where the client's next poll begins: after the last message that it was
// given, and at the next message if it was given none.
func (m bookmark) since() history.Since {
	if cursor, found := m.read.of(m.channel); found {
		return history.After(cursor)
	}
	return history.Now()
}

// set remembers that the client has everything up to a cursor. A client behind a proxy is
// remembered from its first message on, not from its first poll: otherwise polls of
// invented clients would push others out.
func (m bookmark) set(cursor history.Cursor) {
	if m.client == nil {
		m.read.set(m.channel, cursor)
	} else {
		m.bookmarks.keep(m, cursor)
	}
}
