package conns

import (
	"context"
	"net/http"
	"sync/atomic"
)

// stint is a time in which one server has a connection: net/http until the connection is
// taken over, or the loop for one request. The contexts of requests hold it as a value.
type stint struct {
	conn    *Conn
	request *loopRequest // nil in a stint of net/http
	over    atomic.Bool  // the stint has ended: another goroutine has the connection
}

type connKey struct{}

func stintOf(r *http.Request) *stint {
	s, _ := r.Context().Value(connKey{}).(*stint)
	return s
}

// Of returns the connection of a request, or nil if it is not from a listener of
// [Conns.Prepare].
func Of(r *http.Request) *Conn {
	if s := stintOf(r); s != nil {
		return s.conn
	}
	return nil
}

// withStint begins a stint of net/http, and adds it to the context.
func (c *Conn) withStint(ctx context.Context) context.Context {
	c.stint = &stint{conn: c}
	return context.WithValue(ctx, connKey{}, c.stint)
}
