//go:build unix

package machine

import "syscall"

// Descriptors returns how many files and sockets the process may have open, 0 if unknown. The
// Go runtime has raised the limit to the hard limit.
func Descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), 1<<30)) // "unlimited" does not fit in an int
}
