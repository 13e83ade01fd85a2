//go:build unix

package machine

import "syscall"

// Descriptors is how many files and sockets this process may have open, 0 if
// that cannot be found out. The Go runtime has raised it as far as it may.
func Descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<30)) // which is as good as no limit
}
