package disk

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

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
