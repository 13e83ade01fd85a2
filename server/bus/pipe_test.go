package bus

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

func TestConnIsAnOrdinaryNetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		l, err := memory.Listen(t.Context(), t.Name())
		require.NoError(t, err)
		accepted := make(chan net.Conn, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
			}
			accepted <- c
		}()
		c1, err = memory.Dial(t.Context(), nil, t.Name())
		require.NoError(t, err)
		c2 = <-accepted
		return c1, c2, func() {
			c1.Close()
			c2.Close()
			l.Close()
		}, nil
	})
}

func TestDialRefusesWhereNobodyListens(t *testing.T) {
	_, err := memory.Dial(t.Context(), nil, "nowhere")
	require.ErrorContains(t, err, "nobody listens on memory://nowhere")

	l, err := memory.Listen(t.Context(), "twice")
	require.NoError(t, err)
	_, err = memory.Listen(t.Context(), "twice")
	require.ErrorContains(t, err, "in use")
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestPipeCutsOffItsReaderWhenFull(t *testing.T) {
	p := newPipe(4, false)
	n, err := p.write([]byte("whole"))
	require.NoError(t, err, "a write is taken whole while fewer than limit bytes wait")
	require.Equal(t, 5, n)
	_, err = p.write([]byte("x"))
	require.ErrorIs(t, err, errCutOff)

	var netErr net.Error
	require.ErrorAs(t, err, &netErr, "zmq4 forgets a peer only on a net.Error")
	require.False(t, netErr.Timeout())
}

// What a poll waits with should be small again after a large message.
func TestPipeGivesALargeBufferBack(t *testing.T) {
	p := newPipe(1<<20, false)
	p.gate = gate{ready: make(chan struct{}, 1)}
	_, err := p.write(append([]byte{flagLong, 0, 0, 0, 0, 0, 0, 1, 0}, make([]byte, 256)...))
	require.NoError(t, err)
	for range 10 {
		_, err = p.write(append([]byte{0, 200}, make([]byte, 200)...))
		require.NoError(t, err)
	}
	p.discard()
	require.LessOrEqual(t, p.unread.Cap(), keepBuffer)
}

// FuzzFirstMessage holds the walk over frames against the bytes it walks on: it
// must stay inside them and find the same end however much follows.
func FuzzFirstMessage(f *testing.F) {
	f.Add([]byte{0, 0})
	f.Add([]byte{flagMore, 2, 'c', 0, 0, 3, 'a', 'b', 'c'})
	f.Add([]byte{flagLong, 0, 0, 0, 0, 0, 0, 0, 1, 'x'})
	f.Add([]byte{flagLong, 255, 255, 255, 255, 255, 255, 255, 255, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := firstMessage(b)
		require.LessOrEqual(t, n, len(b))
		if n == 0 {
			return
		}
		require.Equal(t, n, firstMessage(append(b[:n:n], 0xff, 0xff, 0xff)))
		require.Zero(t, firstMessage(b[:n-1]), "a message that is not all there")
	})
}
