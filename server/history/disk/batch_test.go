package disk

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"pubsub/server/history"
)

// The channel that is everybody's takes nobody's place, also where it is begun in one
// transaction with another one. From outside it is chance what comes in one.
func TestHomeInATransactionWithOthers(t *testing.T) {
	log, err := Open(t.TempDir(), history.Options{ChannelsPerOwner: 1, Home: "home"})
	require.NoError(t, err)
	defer log.Close()
	var batch []*waiting
	for _, channel := range []string{"home", "a", "b"} {
		post := history.Post{Channel: channel, Object: []byte(`{}`), By: netip.MustParseAddr("192.0.2.1")}
		batch = append(batch, &waiting{post: post, done: make(chan struct{})})
	}
	log.writeBatch(batch)
	require.NoError(t, batch[0].err)
	require.NoError(t, batch[1].err)
	require.ErrorIs(t, batch[2].err, history.ErrTooManyOfOwner)
}

// A key takes no room any more when its time is over: neither it, nor when that was.
func TestKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, err := Open(t.TempDir(), history.Options{})
		require.NoError(t, err)
		defer log.Close()
		kept := func(n int) {
			require.NoError(t, log.db.View(func(tx *bolt.Tx) error {
				require.Equal(t, n, tx.Bucket(keysBucket).Stats().KeyN)
				require.Equal(t, n, tx.Bucket(keyTimesBucket).Stats().KeyN)
				return nil
			}))
		}
		for _, key := range []string{"one", "two"} {
			_, err := log.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`), Key: key})
			require.NoError(t, err)
		}
		time.Sleep(history.KeyFor - time.Second)
		kept(2)
		time.Sleep(time.Second + 2*tidyEvery)
		kept(0)
	})
}
