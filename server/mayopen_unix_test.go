//go:build unix

package server_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// mayOpen lets the process open so many files until restore is called.
func mayOpen(t *testing.T, files uint64) (restore func()) {
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	few := before
	few.Cur = files
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }
}
