//go:build !unix

package conns

import (
	"errors"
	"net"
)

// socket is not used here: package net reads and writes, and Hijack cannot be used.
type socket struct{ net.Conn }

func socketOf(net.Conn) *socket { return nil }

func (*socket) tryWrite([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (*socket) tryRead([]byte) (int, error) { return 0, errors.ErrUnsupported }
