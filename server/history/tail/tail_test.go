package tail_test

import (
	"testing"

	"pubsub/server/history"
	"pubsub/server/history/historytest"
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
