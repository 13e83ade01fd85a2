//go:build !unix

package conns

import "errors"

// Try does nothing: where there is no epoll, TakeOver takes no connection over.
type Try struct{}

// NewTry returns a Try.
func NewTry() *Try { return new(Try) }

// Write fails.
func (*Try) Write(*Taken, []byte) (int, error) { return 0, errors.ErrUnsupported }

// Read fails.
func (*Try) Read(*Taken, []byte) (int, error) { return 0, errors.ErrUnsupported }
