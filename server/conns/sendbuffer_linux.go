package conns

import (
	"errors"
	"net"
	"syscall"
)

// sendBuffer is how many bytes of an answer the kernel holds for a client that does not read.
// The kernel needs as much again for itself. By default it would hold up to 4 MB for each
// client, which does not show in the memory of the process.
const sendBuffer = 64 << 10

// boundSendBuffers sets the send buffer of connections that l accepts from now on. They
// inherit it from the listener, which saves a system call for each.
func boundSendBuffers(l net.Listener) error {
	socket, ok := l.(syscall.Conn)
	if !ok {
		return nil // a listener in memory
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
