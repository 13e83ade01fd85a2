//go:build !linux

package conns

import "net"

// boundSendBuffers does nothing: the buffers keep the system's size.
func boundSendBuffers(net.Listener) error { return nil }
