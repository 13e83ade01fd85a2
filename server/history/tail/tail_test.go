package tail_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/internal/historytest"
	"pubsub/server/history"
	"pubsub/server/history/disk"
	"pubsub/server/history/memory"
	"pubsub/server/history/tail"
)

func TestContract(t *testing.T) {
	for name, shared := range map[string]bool{"own": false, "shared": true} {
		open := func(t testing.TB, options history.Options) history.Log {
			behind := memory.New(options)
			t.Cleanup(func() { _ = behind.Close() })
			return tail.New(behind, tail.Options{Messages: options.Messages, Age: options.Age, Shared: shared})
		}
		t.Run(name, func(t *testing.T) {
			historytest.Contract(t, open)
			historytest.Clock(t, open)
		})
	}
}

// What leaves a log to make room is served by no tail either.
func TestOwners(t *testing.T) {
	historytest.Owners(t, func(t testing.TB, options history.Options) history.Log {
		dir, err := os.MkdirTemp("", "pubsub-tail")
		require.NoError(t, err)
		behind, err := disk.Open(dir, options)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, behind.Close()); require.NoError(t, os.RemoveAll(dir)) })
		return tail.New(behind, tail.Options{Messages: options.Messages, Age: options.Age})
	})
}
