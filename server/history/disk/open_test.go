package disk_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
		require.Equal(t, "2", string(tx.Bucket([]byte("epochs")).Get([]byte("format"))))
		return tx.Bucket([]byte("epochs")).Put([]byte("format"), []byte("3"))
	}))
	require.NoError(t, db.Close())
	_, err = disk.Open(folder, history.Options{})
	require.ErrorContains(t, err, "a later version of pubsub")
}

// A file of the first format has no owners: its messages are there, and belong to nobody.
// What it has of channels that are forgotten is deleted.
func TestFirstFormat(t *testing.T) {
	folder := t.TempDir()
	db, err := bolt.Open(filepath.Join(folder, "pubsub.db"), 0o600, nil)
	require.NoError(t, err)
	const many, orphans = 20, 7000
	began := time.Now().UnixMicro()
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{"messages", "channels", "keys", "keytimes", "epochs"} {
			_, err := tx.CreateBucket([]byte(name))
			require.NoError(t, err)
		}
		put := func(channel string, id int) {
			key := binary.BigEndian.AppendUint64([]byte(channel+"\x00"), uint64(id))
			entry := binary.BigEndian.AppendUint64(nil, uint64(began+int64(id)))
			require.NoError(t, tx.Bucket([]byte("messages")).Put(key, append(entry, `{"message":"hi"}`...)))
		}
		for id := 3; id <= many; id++ { // the oldest stays to be compared
			put("room", id)
		}
		for id := range orphans {
			put("forgotten", id+1)
		}
		require.NoError(t, tx.Bucket([]byte("epochs")).Put([]byte("format"), []byte("1")))
		return tx.Bucket([]byte("channels")).Put([]byte("room"), fmt.Appendf(nil, `{"Epoch":"abc","Dropped":3,"Last":%d,"LastTime":%d,"Bytes":999}`, many, began+many))
	}))
	require.NoError(t, db.Close())

	log, err := disk.Open(folder, history.Options{Bytes: 30 * history.Weight("room", 16), ChannelsPerOwner: 1})
	require.NoError(t, err)
	read := func(since history.Since) *history.Page {
		page, err := log.Read(t.Context(), history.Query{Channel: "room", Since: since, Limit: 100})
		require.NoError(t, err)
		return page
	}
	require.Len(t, read(history.All()).Messages, many-3)
	require.Equal(t, (many-3)*history.Weight("room", 16), log.Bytes())
	require.Nil(t, read(history.After(history.Cursor{Epoch: "abc", ID: 3, Check: history.CheckOf(time.UnixMicro(began + 3))})).Gap)
	ann := netip.MustParseAddr("192.0.2.1")
	for range 14 {
		_, err := log.Append(t.Context(), history.Post{Channel: "room", Object: []byte(`{"message":"hi"}`), By: ann})
		require.NoError(t, err)
	}
	require.Len(t, read(history.All()).Messages, 30, "nobody's oldest have left: nobody had most")
	require.Len(t, read(history.Last(14)).Messages, 14)
	require.NoError(t, log.Close())

	db, err = bolt.Open(filepath.Join(folder, "pubsub.db"), 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bolt.Tx) error {
		require.Equal(t, 31, tx.Bucket([]byte("messages")).Stats().KeyN)
		require.Equal(t, 30, tx.Bucket([]byte("owned")).Stats().KeyN)
		return nil
	}))
	require.NoError(t, db.Close())
	log, err = disk.Open(folder, history.Options{})
	require.NoError(t, err)
	defer log.Close()
	require.Equal(t, 30*history.Weight("room", 16), log.Bytes(), "also when it is opened again")
}

// A channel that is forgotten leaves nothing in the file, however much there was to trim.
func TestForgottenChannelsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder, err := os.MkdirTemp("", "pubsub-disk")
		require.NoError(t, err)
		defer os.RemoveAll(folder)
		log, err := disk.Open(folder, history.Options{Age: time.Hour})
		require.NoError(t, err)
		var posts sync.WaitGroup
		for range 12_000 {
			posts.Go(func() {
				_, err := log.Append(t.Context(), history.Post{Channel: "room", Object: []byte(`{}`)})
				require.NoError(t, err)
			})
		}
		posts.Wait()
		require.NoError(t, log.Close())
		time.Sleep(48 * time.Hour) // it was not open meanwhile
		log, err = disk.Open(folder, history.Options{Age: time.Hour})
		require.NoError(t, err)
		time.Sleep(25 * time.Hour)
		require.NoError(t, log.Close())
		db, err := bolt.Open(filepath.Join(folder, "pubsub.db"), 0o600, nil)
		require.NoError(t, err)
		defer db.Close()
		require.NoError(t, db.View(func(tx *bolt.Tx) error {
			for _, bucket := range []string{"messages", "owned", "channels"} {
				require.Zero(t, tx.Bucket([]byte(bucket)).Stats().KeyN, bucket)
			}
			return nil
		}))
	})
}

// A file of which most is free is made smaller when it is opened, and has the same messages.
// What a process left that was killed meanwhile is removed.
func TestCompaction(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "pubsub.db")
	options := history.Options{Messages: 2}
	log, err := disk.Open(folder, options)
	require.NoError(t, err)
	large := []byte(`{"message":"` + strings.Repeat("x", 1<<20) + `"}`)
	for _, channel := range slices.Repeat([]string{"a", "b", "c", "d", "e", "f", "g", "h"}, 2) {
		_, err := log.Append(t.Context(), history.Post{Channel: channel, Object: large})
		require.NoError(t, err)
	}
	var last history.Cursor
	for _, channel := range slices.Repeat([]string{"a", "b", "c", "d", "e", "f", "g", "h"}, 3) {
		receipt, err := log.Append(t.Context(), history.Post{Channel: channel, Object: []byte(`{}`)})
		require.NoError(t, err)
		last = receipt.Cursor
	}
	require.NoError(t, log.Close())
	size := func() int64 {
		info, err := os.Stat(file)
		require.NoError(t, err)
		return info.Size()
	}
	require.Greater(t, size(), int64(16<<20))
	require.NoError(t, os.WriteFile(file+".compact", []byte("half"), 0o600))
	log, err = disk.Open(folder, options)
	require.NoError(t, err)
	defer log.Close()
	require.Less(t, size(), int64(1<<20))
	require.NoFileExists(t, file+".compact")
	page, err := log.Read(t.Context(), history.Query{Channel: "h", Since: history.All(), Limit: 9})
	require.NoError(t, err)
	require.Len(t, page.Messages, 2)
	require.Equal(t, last, page.Cursor)
	_, err = disk.Open(folder, options)
	require.ErrorContains(t, err, "another process", "the new file is locked")
	_, err = log.Append(t.Context(), history.Post{Channel: "h", Object: []byte(`{}`)})
	require.NoError(t, err)
}
