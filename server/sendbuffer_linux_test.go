package server_test

import (
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// handing is a listener that shows the connections it takes.
type handing struct {
	*net.TCPListener
	taken chan *net.TCPConn
}

func (l handing) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	l.taken <- c
	return c, nil
}

// For a client that does not read, the kernel keeps little of its answers.
func TestSendBuffersAreBounded(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	from := handing{l, make(chan *net.TCPConn, 2)}
	s := startLarge(t, open(), from)
	s.get(t, "/healthz") // it listened before it served
	<-from.taken
	status, _ := answer(t, s.dialFrom(t, "127.0.0.1", "/large")) // the buffer grows while it is sent
	require.Equal(t, http.StatusOK, status)
	raw, err := (<-from.taken).SyscallConn()
	require.NoError(t, err)
	var size int
	require.NoError(t, raw.Control(func(fd uintptr) {
		size, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
	}))
	require.NoError(t, err)
	require.LessOrEqual(t, size, 256<<10)
}

// A client whose machine is gone is missed within a minute: the system gives it up after half
// of that, and a silent stream is written to every 20 s.
func TestMachinesThatAreGoneAreMissed(t *testing.T) {
	t.Parallel()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	from := handing{l, make(chan *net.TCPConn, 1)}
	s := startOn(t, open(), from)
	s.get(t, "/healthz")
	raw, err := (<-from.taken).SyscallConn()
	require.NoError(t, err)
	var patience int
	require.NoError(t, raw.Control(func(fd uintptr) {
		patience, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	}))
	require.NoError(t, err)
	require.Equal(t, 30_000, patience)
}
