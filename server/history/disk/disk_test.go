package disk_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"pubsub/internal/historytest"
	"pubsub/server/history"
	"pubsub/server/history/disk"
	"pubsub/server/history/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, options history.Options) history.Log {
	dir, err := os.MkdirTemp("", "pubsub-disk")
	require.NoError(t, err)
	log, err := disk.Open(dir, options)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, log.Close())
		require.NoError(t, os.RemoveAll(dir))
	})
	return log
}

func TestContract(t *testing.T) { historytest.Contract(t, open) }

func TestBytes(t *testing.T) { historytest.Bytes(t, open) }

func TestDropped(t *testing.T) { historytest.Dropped(t, open) }

func TestOwners(t *testing.T) { historytest.Owners(t, open) }

func TestClock(t *testing.T) { historytest.Clock(t, open) }

func TestAgainstMemory(t *testing.T) {
	model := func(t testing.TB, options history.Options) history.Log {
		log := memory.New(options)
		t.Cleanup(func() { require.NoError(t, log.Close()) })
		return log
	}
	historytest.Against(t, open, model)
}

func TestOneProcessOnly(t *testing.T) {
	dir := t.TempDir()
	log, err := disk.Open(dir, history.Options{})
	require.NoError(t, err)
	_, err = disk.Open(dir, history.Options{})
	require.ErrorContains(t, err, "another process has the messages in "+dir+" open")
	require.NoError(t, log.Close())
	require.NoError(t, log.Close(), "twice is harmless")
	_, err = log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
	require.ErrorIs(t, err, history.ErrAway)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = disk.Open(file, history.Options{})
	require.ErrorContains(t, err, "the folder for messages cannot be made")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pubsub.db"), bytes.Repeat([]byte("no database "), 5000), 0o600))
	_, err = disk.Open(dir, history.Options{})
	require.ErrorContains(t, err, "is damaged")
}

// Who floods a folder takes no place from anybody: not in bytes, and not in a room where
// both are. Its own oldest messages leave.
func TestFloodInAFolder(t *testing.T) {
	log := open(t, history.Options{Bytes: 200_000, BytesPerOwner: 40_000})
	post := func(channel string, by byte) history.Cursor {
		object := []byte(`{"message":"` + strings.Repeat("x", 1000) + `"}`)
		receipt, err := log.Append(t.Context(), history.Post{Channel: channel, Object: object, By: netip.AddrFrom4([4]byte{192, 0, 2, by})})
		require.NoError(t, err)
		return receipt.Cursor
	}
	for range 20 {
		post("honest", 1)
		post("honest", 9)
	}
	for i := range 300 {
		post(fmt.Sprint("flood", i%20), byte(9+i%5))
	}
	require.LessOrEqual(t, log.(*disk.Log).Bytes(), 200_000)
	kept := 0
	since := history.All()
	for more := true; more; {
		page, err := log.Read(t.Context(), history.Query{Channel: "honest", Since: since, Limit: 500})
		require.NoError(t, err)
		kept, since, more = kept+len(page.Messages), history.After(page.Cursor), page.More
	}
	require.Equal(t, 20, kept)
}

// Channels that have expired make room at once, also the one that is posted to.
func TestExpiredChannelsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, history.Options{Age: time.Minute, Channels: 50, ChannelsPerOwner: 50})
		post := func(channel string) (uint64, error) {
			receipt, err := log.Append(t.Context(), history.Post{Channel: channel, Object: []byte(`{}`)})
			return receipt.Cursor.ID, err
		}
		for round := range 5 {
			for i := range 50 {
				id, err := post(fmt.Sprint(i))
				require.NoError(t, err)
				require.EqualValues(t, round+1, id, "ids go on")
			}
			_, err := post("one more")
			require.ErrorIs(t, err, history.ErrTooManyOfOwner)
			time.Sleep(2 * time.Minute)
		}
		n, err := log.Len(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
