package conns

import (
	"errors"
	"net"
	"syscall"
)

// sendBuffer is how many bytes of an answer the kernel holds for a client that does not
// read. It needs as much again for itself. By default it would hold up to 4 MB for each
// client, which the process does not see in its own memory.
const sendBuffer = 64 << 10

// boundSendBuffers sets the send buffer of connections that l accepts from now on. It
// sets it on the listener, from which they inherit it, to save a system call for each.
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
