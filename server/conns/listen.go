package conns

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"pubsub/server/settings"
)

// Listen listens on host:port, or on a Unix socket such as unix:/run/pubsub.sock. Closing the
// listener removes the socket's file. The file of a killed process is replaced. The errors
// are for people to read.
func Listen(addr string) (net.Listener, error) {
	path, isSocket := settings.SocketPath(addr)
	if !isSocket {
		return net.Listen("tcp", addr)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	return net.Listen("unix", path)
}

// removeStale removes the file of a socket on which nobody listens. It returns an error if
// the path exists and is anything else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there already and is no socket: choose another path, or remove it", path)
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("another process listens on %s: stop it first, or choose another path", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is there already, and whether it is in use cannot be found out: %w", path, err)
	}
	return os.Remove(path)
}
