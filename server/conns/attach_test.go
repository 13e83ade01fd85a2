package conns

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

// A connection may be displaced, from another listener, before net/http has it: then its
// requests end when they begin.
func TestDisplacedBeforeItBegins(t *testing.T) {
	for round := range 100 {
		near, far := net.Pipe()
		defer near.Close()
		all := New(&settings.Settings{TrustedHops: 1}, nil, nil)
		c := newConn(far, all)
		var displaced sync.WaitGroup
		displaced.Go(func() { _ = c.Close() })
		if round%2 == 0 {
			displaced.Wait()
		}
		ctx := all.connContext(t.Context(), c)
		displaced.Wait()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.Canceled)
	}
}
