//go:build unix

package pubsubtest

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// MayOpen lets the process open so many files until restore is called.
func MayOpen(t testing.TB, files uint64) (restore func()) {
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	few := before
	few.Cur = files
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }
}
