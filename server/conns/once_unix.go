//go:build unix && !linux

package conns

import "syscall"

func readOnce(fd uintptr, b []byte) (int, error) { return once(syscall.Read, fd, b) }

func writeOnce(fd uintptr, b []byte) (int, error) { return once(syscall.Write, fd, b) }

func once(call func(int, []byte) (int, error), fd uintptr, b []byte) (n int, err error) {
	for err = syscall.EINTR; err == syscall.EINTR; {
		n, err = call(int(fd), b)
	}
	return max(n, 0), err
}
