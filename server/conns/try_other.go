//go:build !unix

package conns

import (
	"errors"
	"syscall"
)

// Where there is no epoll, TakeOver takes no connection over.

func tryWrite(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func tryRead(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
