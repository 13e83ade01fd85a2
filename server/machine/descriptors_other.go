//go:build !unix

package machine

// Descriptors returns how many files and sockets this process may have open, 0 if that is
// not known.
func Descriptors() int { return 0 }
