//go:build !linux

package conns

import (
	"net"
)

// hangups are for net/http to find out where there is no epoll.
type hangups struct{}

func watchHangups(net.Listener) (*hangups, error) { return nil, nil }

func (*hangups) Close() error { return nil }

func (*hangups) watch(net.Conn, func()) (forget func()) { return nil }
