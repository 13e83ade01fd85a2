package disk

import (
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// A file of bbolt never shrinks by itself: what messages leave is used for the next ones. It
// is copied without that at the start, if it is large and more than half of it is free.
const (
	compactAbove  = 8 << 20 // bytes
	compactAtOnce = 1 << 20 // bytes in a transaction of the copy
)

// compacted returns the database in a smaller file if that pays, else as it is. The file is
// replaced once the copy is synced. Whatever goes wrong before, as on a full disk, leaves it.
func compacted(db *bolt.DB) *bolt.DB {
	copied := db.Path() + ".compact"
	_ = os.RemoveAll(copied) // of a process that was killed
	if !pays(db) {
		return db
	}
	to, err := bolt.Open(copied, 0o600, options())
	if err != nil {
		return db
	}
	to.NoSync = true
	err = bolt.Compact(to, db, compactAtOnce)
	to.NoSync = false
	if err == nil {
		err = to.Sync()
	}
	if err == nil {
		err = os.Rename(copied, db.Path())
	}
	if err != nil {
		_ = to.Close()
		_ = os.Remove(copied)
		return db
	}
	syncFolder(filepath.Dir(db.Path()))
	_ = db.Close() // of the old file; the new one is locked already
	return to
}

func pays(db *bolt.DB) bool {
	info, err := os.Stat(db.Path())
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	return err == nil && info.Size() > compactAbove && free > info.Size()/2
}

// syncFolder makes sure of a new name. Without it a power cut brings the old file back, which
// has the same messages until the next are written.
func syncFolder(folder string) {
	if f, err := os.Open(folder); err == nil {
		_ = f.Sync()
		_ = f.Close()
	}
}
