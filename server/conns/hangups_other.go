//go:build !linux

package conns

import (
	"errors"
	"net"
)

// hangups watches nothing where there is no epoll: net/http notices hang-ups.
type hangups struct{}

func watchHangups(net.Listener) (*hangups, error) { return nil, nil }

func (*hangups) Close() error { return nil }

func (*hangups) watch(*Conn) (forget func()) { return nil }

func (*hangups) watchInput(*Conn) error { return errors.ErrUnsupported }
