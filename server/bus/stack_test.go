//go:build !race

package bus

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A request that waits has a stack of 4 KB, most of it in use. Subscribe must not
// make it grow. The race detector makes every stack larger.
func TestWaitingRequestHasASmallStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := oneShard(t)
		_, stacks := bytesInUse()
		for range perSUB {
			go request(t, b)
		}
		synctest.Wait()
		_, stacksWaiting := bytesInUse()
		require.Less(t, (stacksWaiting-stacks)/perSUB, 9<<10, "bytes of its stack and of the SUB's")
	})
}

// request has about as much on its stack as an HTTP request.
func request(t *testing.T, b *Bus) {
	var frames [1800]byte
	sub, err := b.Subscribe("chat")
	if err != nil {
		t.Error(err)
		return
	}
	<-sub.Ready()
	sub.Release()
	if frames[len(sub.channel)] != 0 { // so frames are still there
		t.Error("no frames")
	}
}
