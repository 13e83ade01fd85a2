package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// openFile opens the file of a folder, or makes one. It refuses a damaged file: bbolt would
// end the process at the damage, or take an empty file for a new one.
func openFile(folder string) (*bolt.DB, error) {
	file := filepath.Join(folder, fileName)
	switch info, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("the messages in %s cannot be opened: %w", folder, err)
	default:
		if err := inspect(file, info.Size()); err != nil {
			return nil, err
		}
	}
	db, err := openLocked(file)
	if err != nil {
		return nil, explain(file, err)
	}
	return compacted(db), nil
}

// openLocked opens and locks a file. While it waited for the lock, the process that had it
// may have replaced the file. Writes to the old file would be lost, so openLocked returns an
// error then.
func openLocked(file string) (*bolt.DB, error) {
	var opened *os.File
	o := options()
	o.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		opened, err = os.OpenFile(name, flag, mode)
		return opened, err
	}
	db, err := bolt.Open(file, 0o600, o)
	if err != nil {
		return nil, err
	}
	ours, err := opened.Stat()
	there, err2 := os.Stat(file)
	if err := errors.Join(err, err2); err != nil || !os.SameFile(ours, there) {
		_ = db.Close()
		return nil, cmp.Or(err, error(berrors.ErrTimeout))
	}
	return db, nil
}

func options() *bolt.Options {
	return &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType, NoFreelistSync: true}
}

func explain(file string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("another process has the messages in %s open: stop it first, or choose another folder", filepath.Dir(file))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the messages in %s cannot be opened: %w", filepath.Dir(file), err)
	}
	return damaged(file, err)
}

func damaged(file string, why error) error {
	return fmt.Errorf("the file %s is damaged, as a copy may be that was made while a server wrote (%w). Put a good copy in its place, or move it away to begin without messages", file, why)
}

var (
	errEmpty = errors.New("it is empty")
	errShort = errors.New("its end is missing")
)

// inspect reads all keys of a file, to find out whether it is damaged.
func inspect(file string, size int64) error {
	if size == 0 {
		return damaged(file, errEmpty)
	}
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if err != nil {
		return explain(file, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		if tx.Size() > size {
			return errShort
		}
		return walk(tx)
	})
	if err := db.Close(); err != nil {
		return err
	}
	if err != nil {
		return damaged(file, err)
	}
	return nil
}

// walk reads each page that has a key. At a damaged page bbolt panics, or reads beyond the
// file.
func walk(tx *bolt.Tx) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if wrong := recover(); wrong != nil {
			err = fmt.Errorf("%v", wrong)
		}
	}()
	return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
}

// format is the version of the file's format. The first format has no owners. A file of a
// later version is refused.
const format = 2

var formatKey = []byte("format")

// checkFormat refuses a file of a later version. A file without a format is of the first.
func checkFormat(tx *bolt.Tx) error {
	text := tx.Bucket(epochsBucket).Get(formatKey)
	if version, err := strconv.Atoi(string(text)); text != nil && (err != nil || version > format) {
		return fmt.Errorf("they have the format %s, which a later version of pubsub writes; this one knows %d", text, format)
	}
	return nil
}
