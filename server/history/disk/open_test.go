package disk_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
	"pubsub/server/history/disk"
)

// written is a file with messages.
func written(t *testing.T) (folder, file string, content []byte) {
	folder = t.TempDir()
	log, err := disk.Open(folder, history.Options{})
	require.NoError(t, err)
	for i := range 150 {
		_, err := log.Append(t.Context(), history.Post{Channel: fmt.Sprint("room", i%5), Object: fmt.Appendf(nil, `{"message":"%0500d"}`, i)})
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())
	file = filepath.Join(folder, "pubsub.db")
	content, err = os.ReadFile(file)
	require.NoError(t, err)
	return folder, file, content
}

// A copy of a file that was in use is refused, with its name and with what to do.
func TestDamagedFile(t *testing.T) {
	folder, file, content := written(t)
	half := len(content) / 2
	for name, damage := range map[string][]byte{
		"empty":             {},
		"cut to half":       content[:half],
		"cut to four pages": content[:16384],
		"cut to a part":     content[:100],
		"another file":      bytes.Repeat([]byte("text\n"), 10_000),
	} {
		require.NoError(t, os.WriteFile(file, damage, 0o600))
		_, err := disk.Open(folder, history.Options{})
		require.ErrorContains(t, err, "the file "+file+" is damaged", name)
		require.ErrorContains(t, err, "Put a good copy in its place", name)
	}
	require.NoError(t, os.WriteFile(file, content, 0o600))
	log, err := disk.Open(folder, history.Options{})
	require.NoError(t, err)
	require.NoError(t, log.Close())
}

// Whichever page is lost, the file is refused, or has all messages: the process never ends.
// The first two pages are left out. They say by turns where the rest is, and a power cut may
// tear the newer one, so one of them is enough.
func TestLostPages(t *testing.T) {
	folder, file, content := written(t)
	page, refused := os.Getpagesize(), 0
	for at := 2 * page; at+page <= len(content); at += page {
		damage := slices.Clone(content)
		clear(damage[at : at+page])
		require.NoError(t, os.WriteFile(file, damage, 0o600))
		log, err := disk.Open(folder, history.Options{})
		if err != nil {
			require.ErrorContains(t, err, file)
			refused++
			continue
		}
		for i := range 5 {
			page, err := log.Read(t.Context(), history.Query{Channel: fmt.Sprint("room", i), Since: history.All(), Limit: 100})
			require.NoError(t, err)
			require.Len(t, page.Messages, 30, "without the page at %d", at)
		}
		require.NoError(t, log.Close())
	}
	t.Logf("%d of %d pages are missed", refused, len(content)/page)
	require.Greater(t, refused, 10)
}

// A file of a later version is not touched.
func TestFormat(t *testing.T) {
	folder, file, _ := written(t)
	db, err := bolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		require.Equal(t, "1", string(tx.Bucket([]byte("epochs")).Get([]byte("format"))))
		return tx.Bucket([]byte("epochs")).Put([]byte("format"), []byte("2"))
	}))
	require.NoError(t, db.Close())
	_, err = disk.Open(folder, history.Options{})
	require.ErrorContains(t, err, "a later version of pubsub")
}
