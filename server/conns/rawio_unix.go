//go:build unix && !linux

package conns

import "syscall"

func rawRead(fd uintptr, b []byte) (int, error) { return rawCall(syscall.Read, fd, b) }

func rawWrite(fd uintptr, b []byte) (int, error) { return rawCall(syscall.Write, fd, b) }

func rawCall(call func(int, []byte) (int, error), fd uintptr, b []byte) (n int, err error) {
	for err = syscall.EINTR; err == syscall.EINTR; {
		n, err = call(int(fd), b)
	}
	return max(n, 0), err
}
