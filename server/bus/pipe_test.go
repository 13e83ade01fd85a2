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

// A SUB's pipe holds one message that was not seen, whole, and none of those
// behind it.
func TestPipeOfASubHoldsOneMessage(t *testing.T) {
	var merged int
	p := newPipe()
	p.gate = gate{ready: make(chan struct{}, 1), onMerge: func() { merged++ }}
	write := func(body string) {
		for _, part := range [][]byte{{0, byte(len(body))}, []byte(body)} { // as zmq4 does
			n, err := p.write(part)
			require.NoError(t, err)
			require.Equal(t, len(part), n)
		}
	}
	for _, body := range []string{"first", "", "second", "third"} {
		write(body)
	}
	require.Equal(t, "\x00\x05first", p.unread.String())
	require.Equal(t, 3, merged)

	_, err := p.write([]byte{0, 4})
	require.NoError(t, err)
	p.discard() // between the parts of one that is dropped
	_, err = p.write([]byte("last"))
	require.NoError(t, err)
	require.Zero(t, p.unread.Len())
	write("again")
	require.Equal(t, "\x00\x05again", p.unread.String())
}

// A message may come in parts while the one before it is read in parts.
func TestPipeOfASubTellsMessagesApartWhileItIsRead(t *testing.T) {
	p := newPipe()
	p.gate = gate{ready: make(chan struct{}, 1), onMerge: func() { t.Fatal("none was to be dropped") }}
	write := func(parts ...string) {
		for _, part := range parts {
			_, err := p.write([]byte(part))
			require.NoError(t, err)
		}
	}
	read := func(n int) string {
		b := make([]byte, n)
		n, err := p.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	write("\x00\x05", "first")
	p.permit()
	require.Equal(t, "\x00\x05", read(2))
	write("\x00\x06")
	require.Equal(t, "first", read(5))
	write("second") // as a header it would be that of a very long message
	p.permit()
	require.Equal(t, "\x00\x06second", read(8))
	write("\x00\x05", "third")
	holds, _ := p.look()
	require.True(t, holds)

	p.permit()
	require.Equal(t, "\x00\x05", read(2))
	write("\x00\x06", "fourth", "\x00\x05") // all while the third is read
	require.Equal(t, "third", read(5))
	write("fifth")
	p.discard()
	require.Zero(t, p.unread.Len())
}

// What a poll waits with should be small again after a large message.
func TestPipeGivesALargeBufferBack(t *testing.T) {
	p := newPipe()
	p.gate = gate{ready: make(chan struct{}, 1)}
	_, err := p.write(append([]byte{flagLong, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 1<<16)...))
	require.NoError(t, err)
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
