package conns

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silentFor is how long sent data may stay unacknowledged before the connection breaks. By
// default Linux tries for a quarter of an hour, and the client would seem to be here for as
// long. Silent streams are written to every 20 s, and other connections are probed. So a
// client whose machine is gone is noticed within a minute.
const silentFor = 30 * time.Second

// endSilence sets silentFor for a connection. It cannot be set on the listener: that uses
// Multipath TCP where the system does, which does not have the option.
func endSilence(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // a client that uses Multipath TCP keeps the system's time
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silentFor.Milliseconds()))
		})
	}
}
