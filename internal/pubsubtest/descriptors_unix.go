//go:build unix

package pubsubtest

import (
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// MayOpen lets the process open so many files until restore is called. No test may run
// beside one that calls it.
func MayOpen(t testing.TB, files uint64) (restore func()) {
	t.Setenv("PUBSUBTEST_MAY_OPEN", strconv.FormatUint(files, 10)) // fails in a test that is parallel
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	few := before
	few.Cur = files
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }
}
