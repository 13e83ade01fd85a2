// Package turn lets a request tell that it may have to wait. Some requests are served by one
// goroutine for all connections, see the loop of package conns. That goroutine must not wait.
package turn

import "context"

// Key is the key of the [Holder] in the context of a request.
type Key struct{}

// Holder serves the requests of many connections in one goroutine.
type Holder interface {
	// HandOn makes another goroutine serve the other requests. It may be called again.
	HandOn()
}

// HandOn must be called before a request may wait: for a time, for the log or for another
// goroutine. From then on the goroutine belongs to the request. HandOn does nothing for a
// request with a goroutine of its own.
func HandOn(ctx context.Context) {
	if holder, served := ctx.Value(Key{}).(Holder); served {
		holder.HandOn()
	}
}
