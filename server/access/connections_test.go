package access

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"pubsub/server/settings"
)

func TestConnectionsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := settings.Default()
		set.RequestRate = 500 // 100 connections a second, 10 of them at once
		c, err := New(&set, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		ann, bob := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

		begin := func(ctx context.Context, who netip.Addr, secure bool, n int) (went int, took time.Duration) {
			began, ended := time.Now(), make(chan error, n)
			for range n {
				go func() { ended <- c.PaceConnection(ctx, who, secure) }()
			}
			for range n {
				if <-ended == nil {
					went++
				}
			}
			return went, time.Since(began)
		}
		requireWent := func(want int, after time.Duration, who netip.Addr, secure bool, n int) {
			t.Helper()
			went, took := begin(t.Context(), who, secure, n)
			require.Equal(t, want, went)
			require.InDelta(t, after.Seconds(), took.Seconds(), 1e-6)
		}
		requireWent(10, 0, ann, false, 10)
		requireWent(10, 100*time.Millisecond, ann, false, 10)
		requireWent(10, 0, bob, false, 10)
		requireWent(500, longestBegin, ann, false, 600)
		require.EqualValues(t, 610-100, c.Delayed())

		hungUp, hangUp := context.WithCancel(t.Context())
		hangUp()
		went, _ := begin(hungUp, ann, false, 500)
		require.Zero(t, went)
		requireWent(1, 10*time.Millisecond, ann, false, 1) // nobody waits for those that went away
		requireWent(10, 370*time.Millisecond, ann, true, 10)
	})
}
