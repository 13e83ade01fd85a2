package conns

import (
	"net/http"
	"sync"
)

// newcomers is the set of connections that have sent nothing yet. track is called for every
// request, so it takes the lock for newcomers only.
type newcomers struct {
	mu     sync.Mutex // held over Conn.Close, so all locks of a Conn and of Conns may be taken under it
	conns  map[*Conn]struct{}
	closed bool
}

func (n *newcomers) track(c *Conn, state http.ConnState) {
	if c.known.Load() {
		return
	}
	if state != http.StateNew {
		c.known.Store(true)
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

// close closes the newcomers, and makes track close each later one.
func (n *newcomers) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for c := range n.conns {
		c.Close()
	}
}
