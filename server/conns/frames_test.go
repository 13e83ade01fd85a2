package conns

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// What was read of a connection just before it was closed is not counted for ever.
func TestStreamsOfAClosedConnectionCountNothing(t *testing.T) {
	var all http2Streams
	c, other := &http2Conn{address: netip.MustParseAddr("192.0.2.1")}, &http2Conn{address: netip.MustParseAddr("192.0.2.1")}
	all.add(c, 0)
	all.add(other, 0)
	all.leave(c)
	all.add(c, 0)
	require.Equal(t, 1, all.byAddress[c.address].total)
	all.remove(c)
	all.remove(other)
	require.Empty(t, all.byAddress)
}
