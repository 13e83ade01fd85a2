package access_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"pubsub/server/access"
	"pubsub/server/settings"
	"pubsub/server/web"
)

// An address has as many requests as it may, a quarter more are told so, and the rest go at
// once. Another address notices nothing, and in the end nothing is counted.
func TestRequestsUnderWay(t *testing.T) {
	set := settings.Default()
	set.MaxConnectionsPerAddress = 20
	control, err := access.New(&set, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ann, bob := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for range 2 {
		for n := range 30 {
			counted, err := control.EnterRequest(r, ann)
			require.Equal(t, n < 25, counted, n)
			require.Equal(t, n < 20, err == nil, n)
			if problem, is := err.(*web.Problem); is {
				require.Equal(t, http.StatusTooManyRequests, problem.Status)
				require.Positive(t, problem.Wait())
			}
		}
		counted, err := control.EnterRequest(r, bob)
		require.True(t, counted)
		require.NoError(t, err)
		control.LeaveRequest(bob)
		for range 25 {
			control.LeaveRequest(ann)
		}
	}
}

// Behind a proxy, who lets an address have more polls than connections lets it have their
// requests.
func TestRequestsOfManyPollsBehindAProxy(t *testing.T) {
	for _, row := range []struct{ hops, connections, polls, most int }{
		{0, 20, 100, 20}, {1, 20, 10, 20}, {1, 20, 100, 120}, {1, 20, 0, 1000}, {1, 0, 10, 1000},
	} {
		set := settings.Default()
		set.TrustedHops, set.MaxConnectionsPerAddress, set.MaxPollsPerAddress = row.hops, row.connections, row.polls
		control, err := access.New(&set, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		n := 0
		for ; err == nil && n < 1000; n++ {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-Forwarded-For", "192.0.2.1")
			_, err = control.EnterRequest(r, control.Source.Of(r))
		}
		if err != nil {
			n--
		}
		require.Equal(t, row.most, n, "%+v", row)
	}
}
