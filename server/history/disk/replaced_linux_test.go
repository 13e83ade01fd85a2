package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// While a process waits for the lock, the one that has it may put a smaller file in the
// place of this one. What is written to the old one would be lost.
func TestFileThatIsReplacedMeanwhile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "messages")
	holder, err := bolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	waits := make(chan error)
	go func() {
		db, err := openLocked(file)
		if err == nil {
			_ = db.Close()
		}
		waits <- err
	}()
	for opened(file) < 2 { // by the one that has the lock, and the one that waits
	}
	require.NoError(t, os.WriteFile(file+".new", nil, 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	require.NoError(t, holder.Close())
	require.ErrorIs(t, <-waits, berrors.ErrTimeout)
}

// opened is how often this process has a file open.
func opened(file string) (n int) {
	all, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range all {
		if to, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd.Name())); err == nil && to == file {
			n++
		}
	}
	return n
}
