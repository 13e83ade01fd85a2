package conns

import (
	"context"
	"net/http"
	"sync/atomic"
)

// stint is a while in which requests of a connection are served by one and the same: by
// net/http until somebody takes the connection over, or by the loop for one request. Their
// contexts have it as a value.
type stint struct {
	conn   *Conn
	served *served     // nil if it is net/http's
	over   atomic.Bool // somebody else has the connection
}

type connKey struct{}

func stintOf(r *http.Request) *stint {
	s, _ := r.Context().Value(connKey{}).(*stint)
	return s
}

// Of returns the connection that a request came on; nil if it is not from a listener of
// [Conns.Prepare].
func Of(r *http.Request) *Conn {
	if s := stintOf(r); s != nil {
		return s.conn
	}
	return nil
}

// withStint begins a stint of net/http.
func (c *Conn) withStint(ctx context.Context) context.Context {
	c.stint = &stint{conn: c}
	return context.WithValue(ctx, connKey{}, c.stint)
}
