// Package turn lets a request that may have to wait say so. Some requests are served by the
// goroutine that serves those of all connections in turn: see the loop of package conns. It
// must not wait.
package turn

import "context"

// Key is under which the context of a request that is served in turn has its Holder.
type Key struct{}

// Holder is who serves in turn.
type Holder interface {
	// HandOn has another goroutine serve the others. It may be called again.
	HandOn()
}

// HandOn is to be called before a request waits, or may do so: for a time, for the log, for
// somebody else. Its goroutine then is the request's own. It does nothing for a request
// that has its own already.
func HandOn(ctx context.Context) {
	if holder, served := ctx.Value(Key{}).(Holder); served {
		holder.HandOn()
	}
}
