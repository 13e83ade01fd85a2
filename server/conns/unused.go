package conns

import (
	"net/http"
	"sync"
)

// unused is the set of connections that have sent nothing yet. track is called for every
// request, so it takes the lock for unused only.
type unused struct {
	mu     sync.Mutex // held over Conn.Close, so all locks of a Conn and of Conns may be taken under it
	conns  map[*Conn]struct{}
	closed bool
}

func (n *unused) track(c *Conn, state http.ConnState) {
	if c.hasSent.Load() {
		return
	}
	if state != http.StateNew {
		c.hasSent.Store(true)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(n.conns, c)
	case n.closed:
		c.Close()
	default:
		if n.conns == nil {
			n.conns = make(map[*Conn]struct{})
		}
		n.conns[c] = struct{}{}
	}
}

// close closes the unused, and makes track close each later one.
func (n *unused) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for c := range n.conns {
		c.Close()
	}
}
