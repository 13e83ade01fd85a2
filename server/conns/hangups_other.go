//go:build !linux

package conns

import (
	"errors"
	"net"
)

// hangups watches nothing where there is no epoll: net/http notices hang-ups there.
type hangups struct{}

func watchHangups(net.Listener) (*hangups, error) { return nil, nil }

func (*hangups) Close() error { return nil }

func (*hangups) watch(*Conn) (forget func()) { return nil }

func (*hangups) watchInput(*Conn) error { return errors.ErrUnsupported }

func (*hangups) watchHangUp(*Conn) error { return errors.ErrUnsupported }

// Without events there is no loop, so the methods below are not called.

func (*hangups) look(bool) (open bool) { return false }

func (*hangups) next() (e event, some bool) { return event{}, false }

func (*hangups) wake() {}

func (*hangups) conn(uint64) *Conn { return nil }

func (*hangups) find(func(*Conn) bool) []*Conn { return nil }
