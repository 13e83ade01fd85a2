//go:build !unix

package machine

// Descriptors returns how many files and sockets the process may have open, 0 if unknown.
func Descriptors() int { return 0 }
