package bus

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/go-zeromq/zmq4"
	"github.com/stretchr/testify/require"
)

func TestDialRefusesWhereNobodyListensAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newListener()
		require.NoError(t, l.Close())
		require.NoError(t, l.Close(), "twice is harmless")
		_, err := l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = dial(l, "", new(counter))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// counter is a bell that counts.
type counter int

func (c *counter) ring([]byte) { *c++ }

// What does not fit a read waits for the next one: zmq4's own inproc drops it.
func TestLinkKeepsWhatDoesNotFitARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(newListener(), new(counter))
		_, err := pubEnd{l}.Write([]byte("greeting"))
		require.NoError(t, err)
		got := make([]byte, len("greeting"))
		for i := range got {
			n, err := subEnd{l}.Read(got[i : i+1])
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		require.Equal(t, "greeting", string(got))
	})
}

func TestSettledLinkHasNoReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLink(newListener(), new(counter))
		ended := make(chan string, 2)
		for name, end := range map[string]net.Conn{"PUB": pubEnd{l}, "SUB": subEnd{l}} {
			go func() {
				defer func() { ended <- name }()
				defer end.Close()
				_, _ = io.Copy(io.Discard, end)
				panic("a read has returned")
			}()
		}
		_, err := subEnd{l}.Write([]byte("subscription"))
		require.NoError(t, err)
		l.settle()
		require.Empty(t, l.toPub, "settle returns when all is read")
		require.ElementsMatch(t, []string{"PUB", "SUB"}, []string{<-ended, <-ended})
	})
}

// One ring for each frame, however zmq4 writes its header.
func TestEachFrameRingsOnce(t *testing.T) {
	var rings counter
	l := newLink(newListener(), &rings)
	l.pub.Store(new(zmq4.Conn))
	for _, part := range []string{"\x00\x0a", "chat\x0012345678", "\x02\x00\x00\x00\x00\x00\x00\x01\x00", "chat\x0012345678"} {
		n, err := pubEnd{l}.Write([]byte(part))
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.EqualValues(t, 2, rings)
	require.Empty(t, l.toSub, "nothing of it is kept")
}
