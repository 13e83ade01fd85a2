//go:build !linux

package conns

import "net"

// boundSendBuffers leaves the buffers as the system has them.
func boundSendBuffers(net.Listener) error { return nil }
