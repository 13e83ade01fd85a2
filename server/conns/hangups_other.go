//go:build !linux

package conns

import (
	"net"
)

// hangups watches nothing where there is no epoll: net/http notices hang-ups.
type hangups struct{}

func watchHangups(net.Listener) (*hangups, error) { return nil, nil }

func (*hangups) Close() error { return nil }

func (*hangups) watch(net.Conn, func()) (forget func()) { return nil }
