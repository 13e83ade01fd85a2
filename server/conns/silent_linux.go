package conns

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silentFor is how long what was sent may wait for the client's machine to acknowledge it.
// Then the connection is broken. By default Linux tries for a quarter of an hour, and so long
// a client whose machine is gone would be here. A silent stream is written to every 20 s, and
// a connection without traffic is probed, so a client is missed within a minute.
const silentFor = 30 * time.Second

// endSilence sets that for a connection. It cannot be set on the listener, which speaks
// Multipath TCP where the system does: that knows no such time.
func endSilence(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // a client that does speak Multipath TCP keeps the system's time
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silentFor.Milliseconds()))
		})
	}
}
