package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// connectTimeout is short of the kernel's minutes, long enough for a SYN that
// was dropped because the target's queue was full to be sent again.
const connectTimeout = 5 * time.Second

// portsPerSource is how many connections come from one source address; the
// kernel has some 28,000 ports for each.
const portsPerSource = 20_000

// dial connects to addr and returns a socket that does not block. number says
// which connection this is: to a loopback address they are spread over source
// addresses when one has not enough ports.
func dial(addr netip.AddrPort, number int) (fd int, err error) {
	family, to := sockaddr(addr)
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, explain(err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return -1, err
	}
	if addr.Addr().Is4() && addr.Addr().IsLoopback() {
		// Without this the port is taken at once, though it may still serve
		// another target.
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		from := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + number/portsPerSource%200)}}
		if err = unix.Bind(fd, &from); err != nil {
			return -1, explain(err)
		}
	}
	if err = connect(fd, to); err != nil {
		return -1, explain(fmt.Errorf("connecting to %s: %w", addr, err))
	}
	return fd, nil
}

// connect waits until fd is connected.
func connect(fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	if !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
		return err // on loopback it mostly is connected at once
	}
	end := time.Now().Add(connectTimeout)
	for {
		left := time.Until(end)
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, max(int(left.Milliseconds()), 0))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case ready == 0:
			return unix.ETIMEDOUT
		default:
			failed, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && failed != 0 {
				err = unix.Errno(failed)
			}
			return err
		}
	}
}

func sockaddr(addr netip.AddrPort) (family int, to unix.Sockaddr) {
	if ip := addr.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: ip.As4(), Port: int(addr.Port())}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Addr: addr.Addr().As16(), Port: int(addr.Port())}
}

// explain adds what to do to an error whose text does not say it.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("%w: this process has as many files open as it may; ask for fewer polls, or raise the limit with ulimit -n", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no port is left to connect from; wait a minute, or widen net.ipv4.ip_local_port_range", err)
	case errors.Is(err, unix.ETIMEDOUT):
		return fmt.Errorf("%w: the target has not accepted a connection for %s", err, connectTimeout)
	}
	return err
}
