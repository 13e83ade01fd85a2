package conns

import (
	"errors"
	"net"
	"syscall"
)

// sendBuffer is how many bytes of answers the kernel takes for a client that does
// not read; it keeps as many more for itself. Left alone it would take up to
// 4 MB for each, which is no memory of ours to count.
const sendBuffer = 64 << 10

// boundSendBuffers is for the connections that reach l from now on. They have the
// option from their listener, which saves a system call for each.
func boundSendBuffers(l net.Listener) error {
	socket, ok := l.(syscall.Conn)
	if !ok {
		return nil // in memory
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer)
	})
	return errors.Join(err, setErr)
}
