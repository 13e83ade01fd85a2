//go:build !linux

package conns

import (
	"errors"
	"net"
)

// poller watches nothing where there is no epoll: net/http notices hang-ups there.
type poller struct{}

func newPoller(net.Listener) (*poller, error) { return nil, nil }

func (*poller) Close() error { return nil }

func (*poller) watch(*Conn) (forget func()) { return nil }

func (*poller) alsoInput(*Conn) error { return errors.ErrUnsupported }

func (*poller) onlyHangUps(*Conn) error { return errors.ErrUnsupported }

// Without events there is no loop, so the methods below are not called.

func (*poller) look(bool) (open bool) { return false }

func (*poller) next() (e event, some bool) { return event{}, false }

func (*poller) wake() {}

func (*poller) conn(uint64) *Conn { return nil }

func (*poller) find(func(*Conn) bool) []*Conn { return nil }
