package access_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	by := func(address string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = address + ":1234"
		return r
	}
	for range 2 {
		for n := range 30 {
			counted, err := control.EnterRequest(by("192.0.2.1"))
			require.Equal(t, n < 25, counted, n)
			require.Equal(t, n < 20, err == nil, n)
			if problem, is := err.(*web.Problem); is {
				require.Equal(t, http.StatusTooManyRequests, problem.Status)
				require.Positive(t, problem.Wait())
			}
		}
		counted, err := control.EnterRequest(by("192.0.2.2"))
		require.True(t, counted)
		require.NoError(t, err)
		control.LeaveRequest(by("192.0.2.2"))
		for range 25 {
			control.LeaveRequest(by("192.0.2.1"))
		}
	}
}
