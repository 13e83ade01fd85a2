package memory

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/history"
)

// A post that has found its channel, and waits for it while the channel is removed, is kept
// in the one that comes after it. From outside it is chance who is first.
func TestPostToAChannelThatIsJustRemoved(t *testing.T) {
	l := New(history.Options{})
	defer l.Close()
	c, err := l.lockChannel("chat", history.Owner{})
	require.NoError(t, err)
	receipts := make(chan history.Receipt)
	go func() {
		receipt, _ := l.Append(t.Context(), history.Post{Channel: "chat", Object: []byte(`{}`)})
		receipts <- receipt
	}()
	for stacks := make([]byte, 1<<20); !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("[sync.Mutex.Lock")); {
		runtime.Gosched()
	}
	l.channelsMu.Lock()
	l.retire(c, time.Now())
	l.channelsMu.Unlock()
	c.mu.Unlock()
	require.EqualValues(t, 1, (<-receipts).Cursor.ID)
	page, err := l.Read(t.Context(), history.Query{Channel: "chat", Since: history.All(), Limit: 9})
	require.NoError(t, err)
	require.Len(t, page.Messages, 1)
}
