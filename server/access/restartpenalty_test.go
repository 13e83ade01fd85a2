package access

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

// What waits lets go of its page before, and only then.
func TestSlowRestartDropsBeforeItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := settings.Default()
		c, err := New(&set, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/sub?since=another-5", nil).WithContext(t.Context())
		for range 2 * restartBurst {
			began, dropped := time.Now(), time.Time{}
			waited := c.SlowRestart(r, slog.New(slog.DiscardHandler), func() { dropped = time.Now() })
			require.Equal(t, waited, !dropped.IsZero())
			require.Equal(t, waited, time.Since(began) > 0)
			if waited {
				require.Equal(t, began, dropped)
			}
		}
	})
}
