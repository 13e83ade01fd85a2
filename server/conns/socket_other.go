//go:build !unix

package conns

import (
	"errors"
	"net"
)

// socket is of no use here: package net does it all, and TakeOver takes no connection
// over.
type socket struct{ net.Conn }

func socketOf(net.Conn) *socket { return nil }

func (*socket) tryWrite([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*socket) tryRead([]byte) (int, error) { return 0, errors.ErrUnsupported }
