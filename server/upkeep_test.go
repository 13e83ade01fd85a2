package server_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemoryGoesBackToTheSystem(t *testing.T) {
	debug.FreeOSMemory() // what other tests took would do for what is needed here
	bubble(t, open(), func(t *testing.T, p *pipes, _ func()) {
		const crowd = 64 << 20
		held := func() int64 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapSys - m.HeapReleased)
		}
		synctest.Wait() // the server is up
		needed := make([]byte, crowd)
		for i := range needed {
			needed[i] = 1
		}
		before := held()
		runtime.KeepAlive(needed)
		time.Sleep(10 * time.Second)
		require.Less(t, held(), before-crowd/2)
	})
}
