package disk

import (
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// A file of bbolt never shrinks: space that messages leave is used for later ones. So a large
// file of which more than half is free is copied at the start.
const (
	compactAbove  = 8 << 20 // bytes
	compactAtOnce = 1 << 20 // bytes in each transaction of the copy
)

// compacted returns the database in a smaller file if that pays, otherwise as it is. The copy
// replaces the file after an fsync. Any error before that, such as on a full disk, leaves the
// file as it is.
func compacted(db *bolt.DB) *bolt.DB {
	copied := db.Path() + ".compact"
	_ = os.RemoveAll(copied) // left by a process that was killed
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
	_ = db.Close() // the old file; the new one is locked already
	return to
}

func pays(db *bolt.DB) bool {
	info, err := os.Stat(db.Path())
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	return err == nil && info.Size() > compactAbove && free > info.Size()/2
}

// syncFolder fsyncs the folder, so that the renamed file stays. Without it a power cut could
// bring the old file back, which lacks all later messages.
func syncFolder(folder string) {
	if f, err := os.Open(folder); err == nil {
		_ = f.Sync()
		_ = f.Close()
	}
}
